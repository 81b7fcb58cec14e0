"""A server on loopback that gives canned answers and remembers what it was asked."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from werkzeug.wrappers import Request, Response

from local.http_server import HttpServer


@dataclass
class Asked:
    """A request that came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Canned:
    """A WSGI application: its answers, one after the other, the last one for ever."""

    answers: list[Response]
    asked: list[Asked] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Answer a request (WSGI)."""
        request = Request(environ)
        self.asked.append(
            Asked(request.method, request.full_path.rstrip("?"), dict(request.headers), request.get_data())
        )
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(environ, start_response)


@dataclass
class Server:
    """Where a canned server answers, and what it was asked."""

    url: str
    host: str
    asked: list[Asked]


@contextmanager
def canned(*answers: Response) -> Iterator[Server]:
    """Serve these answers."""
    app = Canned(list(answers))
    server = HttpServer(app)
    try:
        yield Server(server.url, server.host, app.asked)
    finally:
        server.stop()


def json_answer(content: Any, status: int = 200, **headers: str) -> Response:
    """An answer in JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(json.dumps(content), status, named, content_type="application/json")
