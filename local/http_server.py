"""A WSGI application on a port of loopback, in a thread."""

import socket
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from werkzeug.serving import WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

HOST = "127.0.0.1"

WAITING = 1024
"""Connections that may wait for the server. One that is not let in tries again, ever more slowly."""


class PortTaken(Exception):
    """Another program listens on the port."""

    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} is taken")
        self.port = port


class _Quiet(WSGIRequestHandler):
    """No line on the terminal for each request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing."""


class HttpServer:
    """Serves `app` until it is stopped. Port 0 takes any free one; a taken port raises PortTaken.

    `also_on` are other addresses of this machine to serve it on, on the same port.
    """

    def __init__(self, app: "WSGIApplication", port: int = 0, also_on: Sequence[str] = ()) -> None:
        for address in (HOST, *also_on):
            if not bindable(address, port):  # werkzeug itself would print, and end the process
                raise PortTaken(port)
        first = make_server(HOST, port, app, threaded=True, request_handler=_Quiet)
        port = first.server_port
        others = (make_server(a, port, app, threaded=True, request_handler=_Quiet) for a in also_on)
        self._servers = [first, *others]
        self.host = f"{HOST}:{port}"
        self.url = f"http://{self.host}"
        for server in self._servers:
            server.socket.listen(WAITING)
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """Stop serving and free the port."""
        for server in self._servers:
            server.shutdown()
            server.server_close()


def bindable(address: str, port: int = 0) -> bool:
    """Whether this machine has that address, and the port is free on it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
