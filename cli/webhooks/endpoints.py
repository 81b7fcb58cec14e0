"""The webhook endpoints of the OpenAI project that an API key belongs to.

https://developers.openai.com/api/reference/resources/webhooks
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, ValidationError

from cli.doctor.openai_server import OpenAIServer, Reply
from upcall.domain.webhook import RUN_EVENTS

PATH = "/webhook_endpoints"

PAGE_SIZE = 100
MAX_PAGES = 20

NO_SUCH_ROUTE = (404, 405, 501)
"""What a server without webhooks answers."""


def describe_duplicates(url: str, ids: Sequence[str]) -> str:
    """That several endpoints have one URL, and what to do about it."""
    found = f"OpenAI has {len(ids)} webhook endpoints with the URL {url}: {' and '.join(ids)}"
    return f"{found}; each has a secret of its own: delete all but one at OpenAI"


class NoWebhooks(Exception):
    """The server has no API for webhook endpoints."""


class RejectedRequest(Exception):
    """The server rejected a request, or its response is none of this API. The message says which and why."""


class _Parsed(BaseModel):
    model_config = ConfigDict(frozen=True)


class Endpoint(_Parsed):
    """An endpoint."""

    id: str
    url: str
    event_types: tuple[str, ...]


class EndpointWithSecret(Endpoint):
    """An endpoint that was just created, or whose secret was just rotated."""

    signing_secret: str


class SampleResult(_Parsed):
    """The status that an endpoint returned for a sample of an event."""

    status_code: int


class _Page(_Parsed):
    data: tuple[Endpoint, ...]
    has_more: bool = False


T = TypeVar("T", bound=BaseModel)


class WebhookEndpoints:
    """The endpoints at a server. Every method raises NoResponse, NoWebhooks or RejectedRequest."""

    def __init__(self, server: OpenAIServer) -> None:
        self._server = server

    def find(self, url: str) -> list[Endpoint]:
        """The endpoints with this URL, newest first."""
        found, after = [], ""
        for _ in range(MAX_PAGES):
            path = f"{PATH}?limit={PAGE_SIZE}{after}"
            reply = self._server.get(path)
            if reply.status in NO_SUCH_ROUTE:
                raise NoWebhooks(f"GET {PATH}: {reply.status}")
            page = _parse(_Page, f"GET {PATH}", reply)
            found += [each for each in page.data if each.url.rstrip("/") == url.rstrip("/")]
            if not page.has_more or not page.data:
                break
            after = f"&after={quote(page.data[-1].id, safe='')}"
        return found

    def create(self, url: str, name: str) -> EndpointWithSecret:
        """Create an endpoint for RUN_EVENTS."""
        body = {"url": url, "name": name, "event_types": RUN_EVENTS}
        return self._post(EndpointWithSecret, PATH, body)

    def set_event_types(self, endpoint: Endpoint, event_types: Sequence[str]) -> Endpoint:
        """Replace the types of an endpoint's events."""
        return self._post(Endpoint, _path(endpoint), {"event_types": event_types})

    def delete(self, endpoint: Endpoint) -> None:
        """Delete an endpoint."""
        _check(f"DELETE {_path(endpoint)}", self._server.delete(_path(endpoint)))

    def rotate_secret(self, endpoint: Endpoint, *, keep_old: bool) -> EndpointWithSecret:
        """Make a new signing secret. `keep_old` leaves the old one valid for 24 hours."""
        body = {"keep_old_secret_active_for_24_hours": keep_old}
        return self._post(EndpointWithSecret, f"{_path(endpoint)}/rotate_secret", body)

    def send_sample(self, endpoint: Endpoint, event_type: str) -> SampleResult:
        """Send a sample of an event."""
        return self._post(SampleResult, f"{_path(endpoint)}/test", {"event_type": event_type})

    def _post(self, model: type[T], path: str, body: Mapping[str, Any]) -> T:
        return _parse(model, f"POST {path}", self._server.post(path, body))


def _path(endpoint: Endpoint) -> str:
    return f"{PATH}/{quote(endpoint.id, safe='')}"


def _check(request: str, reply: Reply) -> None:
    if not 200 <= reply.status < 300:
        raise RejectedRequest(f"{request}: {reply}")


def _parse(model: type[T], request: str, reply: Reply) -> T:
    """The content of a response. An error names fields, and quotes no value: it may be a secret."""
    _check(request, reply)
    try:
        return model.model_validate(reply.content)
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(map(str, wrong["loc"])) or "the response"
        raise RejectedRequest(f"{request} answered with another format: {field}: {wrong['msg']}") from None
