"""Run APIs against canned responses, in memory: only the network transport below the OpenAI SDK is replaced."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from upcall.run_apis import client

BASE_URL = "http://openai.test/v1"
SECRET_NAME = "openai-secret"  # noqa: S105  # a name
API_KEY = "sk-test"


@dataclass(frozen=True)
class ReceivedRequest:
    """A request as it leaves the process."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class CannedResponse:
    """A response that the server gives to any request. `chunk_seconds` is the pause before each part of the body."""

    body: str | bytes = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    chunk_bytes: int = 65_536
    chunk_seconds: float = 0

    def chunks(self) -> Iterator[bytes]:
        """The body as it comes from the connection."""
        body = self.body.encode() if isinstance(self.body, str) else self.body
        for start in range(0, len(body), self.chunk_bytes):
            time.sleep(self.chunk_seconds)
            yield body[start : start + self.chunk_bytes]


Reply = CannedResponse | Exception
RespondWith = Callable[..., list[ReceivedRequest]]


def json_response(content: Any, status: int = 200, **headers: str) -> CannedResponse:
    """A response in JSON. Underscores in the names of headers stand for hyphens."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return CannedResponse(json.dumps(content), status, {"Content-Type": "application/json", **names})


def text_response(text: str, status: int = 200, content_type: str = "text/plain") -> CannedResponse:
    """A response that is not declared as JSON."""
    return CannedResponse(text, status, {"Content-Type": content_type})


@pytest.fixture
def respond_with(monkeypatch: pytest.MonkeyPatch) -> RespondWith:
    """Have the server respond with these, one after the other, and with the last one from then on.

    An exception is raised in place of a response. Returns the list of the requests, which grows.
    """
    monkeypatch.setenv("OPENAI_BASE_URL", BASE_URL)
    monkeypatch.setenv("OPENAI_SECRET_NAME", SECRET_NAME)
    monkeypatch.setattr(client, "get_secret", {SECRET_NAME: API_KEY}.__getitem__)

    def respond_with(*replies: Reply) -> list[ReceivedRequest]:
        remaining, requests = list(replies), list[ReceivedRequest]()

        def handle_request(_: httpx2.HTTPTransport, request: httpx2.Request) -> httpx2.Response:
            path = request.url.raw_path.decode()
            requests.append(ReceivedRequest(request.method, path, request.headers, request.read()))
            reply = remaining.pop(0) if len(remaining) > 1 else remaining[0]
            if isinstance(reply, Exception):
                raise reply
            return httpx2.Response(reply.status, headers=reply.headers, content=reply.chunks())

        monkeypatch.setattr(httpx2.HTTPTransport, "handle_request", handle_request)
        return requests

    return respond_with
