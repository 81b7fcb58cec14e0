"""An HTTP server on loopback that returns canned responses and records its requests."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from werkzeug.wrappers import Request, Response

from local.http_server import HttpServer


@dataclass
class ReceivedRequest:
    """A request that the server received."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class CannedServer:
    """The address of a canned server, and the requests that it has received."""

    url: str
    host: str
    requests: list[ReceivedRequest]


@contextmanager
def canned_server(*responses: Response) -> Iterator[CannedServer]:
    """Serve these responses one after the other, and the last one again and again."""
    app = _CannedApp(list(responses))
    server = HttpServer(app)
    try:
        yield CannedServer(server.url, server.host, app.requests)
    finally:
        server.stop()


def json_response(content: Any, status: int = 200, **headers: str) -> Response:
    """A response in JSON. An underscore in a header's name stands for a hyphen."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(json.dumps(content), status, named, content_type="application/json")


@dataclass
class _CannedApp:
    """The WSGI application of a canned server."""

    responses: list[Response]
    requests: list[ReceivedRequest] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Handle a request (WSGI)."""
        request = Request(environ)
        path = request.full_path.rstrip("?")
        self.requests.append(ReceivedRequest(request.method, path, dict(request.headers), request.get_data()))
        response = self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]
        return response(environ, start_response)
