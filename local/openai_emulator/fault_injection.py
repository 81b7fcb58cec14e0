"""Faults by chance: a share of all requests to a server goes wrong, whatever they ask for."""

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
    """What may happen to a request.

    It is answered late, where there is no `status`, or with that status; 0 cuts the connection. With
    `acted`, the server does its work before it answers wrongly.
    """

    name: str
    status: int | None = None
    retry_after: str | None = None
    acted: bool = False


INJECTED_FAULTS: Final = (
    InjectedFault("429", 429),
    InjectedFault("429 with Retry-After", 429, retry_after="1"),
    InjectedFault("500", 500),
    InjectedFault("500 after the work", 500, acted=True),
    InjectedFault("dropped", 0),
    InjectedFault("dropped after the work", 0, acted=True),
    InjectedFault("slow"),
)
"""All as likely as each other."""

WORDS: Final = '{"error": {"message": "bad weather", "type": "server_error"}}'


class FaultInjection:
    """A WSGI application around another: of its requests, `share` (0 to 1) meet with a mishap.

    `seed` decides which, as long as they come one after the other; a slow one takes `slow_seconds` longer.
    `requests` counts all of them, `met` the mishaps by their names.
    """

    def __init__(self, app: "WSGIApplication", share: float, seed: int, slow_seconds: float = 2) -> None:
        self._app, self._share, self._slow_seconds = app, share, slow_seconds
        self._random = random.Random(seed)  # noqa: S311  # a game, no secret
        self._lock = threading.Lock()
        self.requests = 0
        self.met: Counter[str] = Counter()

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a request (WSGI)."""
        mishap = self._drawn()
        if mishap is None:
            return self._app(environ, start_response)
        if mishap.status is None:
            time.sleep(self._slow_seconds)
            return self._app(environ, start_response)
        if mishap.acted:
            run_wsgi_app(self._app, environ)
        if mishap.status == 0:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        wish = {"Retry-After": mishap.retry_after} if mishap.retry_after else {}
        answer = Response(WORDS, mishap.status or 500, wish, content_type="application/json")
        return answer(environ, start_response)

    def _drawn(self) -> InjectedFault | None:
        with self._lock:
            self.requests += 1
            if self._random.random() >= self._share:
                return None
            mishap = self._random.choice(INJECTED_FAULTS)
            self.met[mishap.name] += 1
            return mishap
