"""A receiver of callbacks on loopback, which keeps what it is sent."""

import threading
from dataclasses import dataclass

from werkzeug.wrappers import Request, Response

from local.http_server import HttpServer


@dataclass(frozen=True)
class Callback:
    """A request as it was received."""

    headers: dict[str, str]
    body: bytes


class CallbackReceiver:
    """Accepts every callback."""

    def __init__(self) -> None:
        self.received: list[Callback] = []
        self._arrived = threading.Condition()

        @Request.application
        def app(request: Request) -> Response:
            headers = {name.lower(): value for name, value in request.headers.items()}
            with self._arrived:
                self.received.append(Callback(headers, request.get_data()))
                self._arrived.notify_all()
            return Response(status=204)

        self._server = HttpServer(app)
        self.port = int(self._server.host.partition(":")[2])

    def wait(self, seconds: float) -> Callback:
        """The first callback."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: self.received, seconds)
        return self.received[0]

    def stop(self) -> None:
        """Stop listening."""
        self._server.stop()
