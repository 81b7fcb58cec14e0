"""A WSGI application on a port of loopback, in threads."""

import socket
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from werkzeug.serving import WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

HOST = "127.0.0.1"

BACKLOG = 1024
"""Connections that wait to be accepted. A client whose connection is not queued retries after 1, 2, 4, …
seconds."""

SHUTDOWN_POLL_SECONDS = 0.02


class PortInUse(Exception):
    """Another program listens on the port."""

    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} is in use")
        self.port = port


class _RequestHandler(WSGIRequestHandler):
    """Prints no line for a request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Do nothing."""


class HttpServer:
    """Serves `app` until it is stopped, or its context ends. Port 0 is any free one. Raises PortInUse.

    `extra_addresses` are other addresses of this machine to listen on, at the same port. A connection on
    which nothing comes for `idle_seconds` is closed.
    """

    def __init__(
        self,
        app: "WSGIApplication",
        port: int = 0,
        extra_addresses: Sequence[str] = (),
        idle_seconds: float | None = None,
    ) -> None:
        for address in (HOST, *extra_addresses):
            if not can_bind(address, port):  # werkzeug would print a message and end the process
                raise PortInUse(port)
        handler = type("RequestHandler", (_RequestHandler,), {"timeout": idle_seconds})
        first = make_server(HOST, port, app, threaded=True, request_handler=handler)
        port = first.server_port
        self._servers = [first]
        for address in extra_addresses:
            self._servers.append(make_server(address, port, app, threaded=True, request_handler=handler))
        self.host = f"{HOST}:{port}"
        self.url = f"http://{self.host}"
        for server in self._servers:
            server.socket.listen(BACKLOG)
            threading.Thread(target=server.serve_forever, args=(SHUTDOWN_POLL_SECONDS,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop serving and free the port."""
        for server in self._servers:
            server.shutdown()
            server.server_close()


def can_bind(address: str, port: int = 0) -> bool:
    """Whether this machine has that address, and the port is free on it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
