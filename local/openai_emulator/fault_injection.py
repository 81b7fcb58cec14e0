"""Fault injection at random: a share of all requests to a server fails."""

import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from werkzeug.test import run_wsgi_app
from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication


@dataclass(frozen=True)
class InjectedFault:
    """A fault of a request: a response with `status`, a dropped connection (0), or a slow response (None).

    If `processed` is true, the server processes the request before it fails.
    """

    name: str
    status: int | None = None
    retry_after: str | None = None
    processed: bool = False


INJECTED_FAULTS: Final = (
    InjectedFault("429", 429),
    InjectedFault("429 with Retry-After", 429, retry_after="1"),
    InjectedFault("500", 500),
    InjectedFault("500 after processing", 500, processed=True),
    InjectedFault("dropped", 0),
    InjectedFault("dropped after processing", 0, processed=True),
    InjectedFault("slow"),
)
"""All are equally likely."""

BODY: Final = '{"error": {"message": "an injected fault", "type": "server_error"}}'


class FaultInjection:
    """A WSGI application that injects faults into the requests to another. `rate` is from 0 to 1.

    `seed` decides which requests fail, if they are sent one after the other. A slow request takes
    `slow_seconds` longer. `requests` is the number of all requests, `injected` the numbers of faults by name.
    """

    def __init__(self, app: "WSGIApplication", rate: float, seed: int, slow_seconds: float = 2) -> None:
        self._app, self._rate, self._slow_seconds = app, rate, slow_seconds
        self._random = random.Random(seed)  # noqa: S311  # not for cryptography
        self._lock = threading.Lock()
        self.requests = 0
        self.injected: Counter[str] = Counter()

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        """Respond to a request (WSGI)."""
        fault = self._draw_fault()
        if fault is None:
            return self._app(environ, start_response)
        if fault.status is None:
            time.sleep(self._slow_seconds)
            return self._app(environ, start_response)
        if fault.processed:
            run_wsgi_app(self._app, environ)
        if fault.status == 0:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
        response = Response(BODY, fault.status or 500, headers, content_type="application/json")
        return response(environ, start_response)

    def _draw_fault(self) -> InjectedFault | None:
        """Count a request, and decide whether it fails and how."""
        with self._lock:
            self.requests += 1
            if self._random.random() >= self._rate:
                return None
            fault = self._random.choice(INJECTED_FAULTS)
            self.injected[fault.name] += 1
            return fault
