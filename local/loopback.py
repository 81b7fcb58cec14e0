"""A WSGI application on a port of loopback, in a thread."""

import socket
import threading
from typing import TYPE_CHECKING

from werkzeug.serving import WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

HOST = "127.0.0.1"


class PortTaken(Exception):
    """Another program listens on the port."""

    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} is taken")
        self.port = port


class _Quiet(WSGIRequestHandler):
    """No line on the terminal for each request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing."""


class LoopbackServer:
    """Serves `app` until it is stopped. Port 0 takes any free one; a taken port raises PortTaken."""

    def __init__(self, app: "WSGIApplication", port: int = 0) -> None:
        with socket.socket() as probe:  # werkzeug itself would print, and end the process
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError as error:
                raise PortTaken(port) from error
        self._server = make_server(HOST, port, app, threaded=True, request_handler=_Quiet)
        self.host = f"{HOST}:{self._server.server_port}"
        self.url = f"http://{self.host}"
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def stop(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
