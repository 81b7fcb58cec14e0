"""A WSGI application on a port of loopback, in a thread."""

import threading
from typing import TYPE_CHECKING

from werkzeug.serving import WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

HOST = "127.0.0.1"


class _Quiet(WSGIRequestHandler):
    """No line on the terminal for each request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing."""


class LoopbackServer:
    """Serves `app` until it is stopped. Port 0 takes any free one; a taken port is an OSError."""

    def __init__(self, app: "WSGIApplication", port: int = 0) -> None:
        self._server = make_server(HOST, port, app, threaded=True, request_handler=_Quiet)
        self._server.daemon_threads = True
        self.host = f"{HOST}:{self._server.server_port}"
        self.url = f"http://{self.host}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
