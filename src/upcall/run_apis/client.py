"""The only user of the OpenAI SDK: sends a request, returns JSON, raises our errors.

The SDK brings authentication, time-outs and error classes. Its retries are off, because the workflow retries.
Its typed resources and models stay unloaded: they double a cold start, and compatible servers differ from
them. The SDK itself is loaded with the first request, or by `load_sdk`.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from http.client import responses
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

from upcall import config
from upcall.aws.secrets_manager import get_secret
from upcall.domain.errors import InvalidSecret, RequestRejected, TransientError
from upcall.domain.failure import MAX_CODE_CHARACTERS
from upcall.domain.retry_after import parse_retry_after, parse_seconds
from upcall.observability.logging import logger
from upcall.run_apis.base import record_server_limits, request_seconds
from upcall.run_apis.rate_limit_headers import parse_server_limits

if TYPE_CHECKING:
    from httpx2 import Response

    from upcall.run_apis.bounded_client import BoundedClient
    from upcall.run_apis.openai_sdk import APIStatusError, OpenAI

TIMEOUT_SECONDS = 60.0
"""Longest silence of the server. Some compatible servers answer a creation only when they are done."""

Headers = Mapping[str, str]
NO_HEADERS: Headers = MappingProxyType({})

Params = Mapping[str, str | int]
NO_PARAMS: Params = MappingProxyType({})

MAX_RETRY_AFTER_SECONDS = 3600.0
"""The longest pause that a server can ask for; the run's limits are checked in between."""

MAX_MESSAGE_CHARACTERS = 2000
"""Of a server's message: it passes through the workflow's state and is part of the record."""

MAX_CAUSE_CHARACTERS = 200
"""Of what the system says of a lost connection, and of the host of a redirect."""

_RETRYABLE_STATUSES = {408, 409, 425, 429}
"""Besides all 5xx. 409 means a conversation that is locked for a moment."""

_RETRYABLE_CODES = {"previous_response_not_found"}
"""With 400 or 404: the response was created a moment ago and does not show yet."""

_FINAL_CODES = {"insufficient_quota", "billing_hard_limit_reached"}
"""Codes or types of 429s that a pause does not help: https://platform.openai.com/docs/guides/error-codes."""

TOO_LARGE = "Request too large"
"""Begins the message of a 429 for a request with more tokens than a minute's limit. Its code,
`rate_limit_exceeded`, is that of a request which may be repeated."""

AZURE_DOMAINS = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")

_BEARER = re.compile(r"\Abearer(\s+|\Z)", re.IGNORECASE)
_HEADER_TOKEN = re.compile("[!-~]+")

_PATH_ID = re.compile(r"(?!\.+$)[\w.:=+~@-]{1,512}", re.ASCII)

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
"""Half of a surrogate pair. Where both halves stand side by side, JSON has made one character of them."""

_CODE: Final = re.compile("[a-z0-9_]{1,60}")
"""An error's code, as opposed to a sentence in its place."""


@dataclass(frozen=True)
class ServerResponse:
    """The JSON object of a response, and the pause before the next poll that the server asks for."""

    body: Mapping[str, Any]
    poll_after_seconds: float | None

    @property
    def id(self) -> str:
        """The id of what the server has created. Raises RequestRejected if there is none."""
        return parse_id(self.body)


def parse_id(created: Mapping[str, Any]) -> str:
    """The id of an object of the server. Raises RequestRejected if it has none that fits into a path."""
    found = created.get("id")
    if isinstance(found, str) and _PATH_ID.fullmatch(found):
        return found
    raise RequestRejected("the server sent an object without an id that fits into a path", code="no_id")


def load_sdk() -> None:
    """Load the OpenAI SDK now. A function that will need it does so while it starts, with a whole core."""
    from upcall.run_apis import openai_sdk  # noqa: F401

    _http_client()


def get(
    path: str, params: Params = NO_PARAMS, *, headers: Headers = NO_HEADERS, must_exist: bool = False
) -> ServerResponse:
    """GET a path below the base URL. Raises TransientError or RequestRejected.

    `must_exist` says that the server has created the object: a 404 then means that it does not show yet. That
    was seen for up to 33 seconds.
    """
    from httpx2 import Response

    options: Any = {"headers": headers, "params": params, "timeout": request_seconds(TIMEOUT_SECONDS)}
    with translate_errors(f"GET {path}", retry_not_found=must_exist):
        response = sdk_client().get(path, cast_to=Response, options=options)
    return _parse_response(response)


def post(
    path: str, body: Mapping[str, Any] | None = None, *, headers: Headers = NO_HEADERS
) -> ServerResponse:
    """POST JSON to a path below the base URL. Raises TransientError or RequestRejected.

    What the response says of the server's rate limits is recorded.
    """
    from httpx2 import Response

    options: Any = {"headers": headers, "timeout": request_seconds(TIMEOUT_SECONDS)}
    with record_refusals(), translate_errors(f"POST {path}"):
        response = sdk_client().post(path, cast_to=Response, body=body, options=options)
    record_limits(response.headers)
    return _parse_response(response)


@contextmanager
def record_refusals() -> Iterator[None]:
    """Record what an error response says of the server's rate limits. Around `translate_errors`."""
    from upcall.run_apis.openai_sdk import APIStatusError

    try:
        yield
    except TransientError as error:
        if isinstance(cause := error.__cause__, APIStatusError):
            refused = cause.status_code == HTTPStatus.TOO_MANY_REQUESTS
            headers = cause.response.headers
            record_server_limits(parse_server_limits(headers, error.retry_after, refused=refused))
        raise


def record_limits(headers: Headers) -> None:
    """Record what the response to a POST says of the server's rate limits."""
    record_server_limits(parse_server_limits(headers))


def parse_api_key(secret_name: str, secret: str) -> str:
    """The API key in a secret, which may begin with "Bearer". Raises InvalidSecret."""
    key = _BEARER.sub("", secret)
    if not _HEADER_TOKEN.fullmatch(key):
        raise InvalidSecret(f"the secret {secret_name} holds blanks, or characters that no API key has")
    return key


def server_fingerprint() -> str:
    """A hash of the base URL, the API key and the project: together they have rate limits of their own."""
    name = config.openai_secret_name()
    key = parse_api_key(name, get_secret(name))
    server = [config.openai_base_url(), key, config.openai_organization(), config.openai_project()]
    return hashlib.sha256(json.dumps(server).encode()).hexdigest()


def sdk_client() -> "OpenAI":
    """The client for the server and the key of this function's environment."""
    name = config.openai_secret_name()
    return create_client(
        config.openai_base_url(),
        parse_api_key(name, get_secret(name)),
        config.openai_organization(),
        config.openai_project(),
    )


@cache
def _http_client() -> "BoundedClient":
    """The connections of all clients. Making it reads the certificates, which takes as long as a request."""
    from upcall.run_apis.bounded_client import BoundedClient

    return BoundedClient(timeout=TIMEOUT_SECONDS)


@cache
def create_client(base_url: str, api_key: str, organization: str | None, project: str | None) -> "OpenAI":
    """The client for a base URL, whose query (`?api-version=…`) goes with every request. It is shared.

    Azure takes the key in a header of its own:
    https://learn.microsoft.com/azure/ai-foundry/openai/reference#authentication.
    """
    from upcall.run_apis.openai_sdk import OpenAI

    url = urlsplit(base_url)
    is_azure = (url.hostname or "").endswith(AZURE_DOMAINS)
    client = OpenAI(
        api_key=api_key,
        base_url=url._replace(query="", fragment="").geturl(),
        default_query=dict(parse_qsl(url.query)),
        default_headers={"api-key": api_key} if is_azure else {},
        max_retries=0,
        http_client=_http_client(),
    )
    # for None, the SDK takes variables of the environment, and sends a header even if they are empty
    client.organization, client.project = organization, project
    return client


def _parse_response(response: "Response") -> ServerResponse:
    poll_after = parse_seconds(response.headers.get("openai-poll-after-ms"), unit=0.001)
    if poll_after is not None:
        poll_after = min(poll_after, MAX_RETRY_AFTER_SECONDS)
    if response.status_code in (202, 204) and not response.content:
        return ServerResponse({}, poll_after)
    try:
        body = _replace_lone_surrogates(json.loads(response.content.decode("utf-8-sig", "replace")))
    except (ValueError, RecursionError):
        body = None
    request = f"{response.request.method} {response.request.url.path}"
    if not isinstance(body, dict):
        message = f"{request}: the server answered {response.status_code}, but not with a JSON object"
        raise TransientError(message)
    if "id" not in body and "data" not in body and (error := body.get("error") or body.get("detail")):
        message = f"{request}: the server answered {response.status_code}, but with an error"
        raise TransientError(message, detail=f"{message}: {_message(error)}"[:MAX_MESSAGE_CHARACTERS])
    if response.request.method == "GET" and not body:
        raise TransientError(
            f"{request}: the server answered {response.status_code}, but with an empty object"
        )
    return ServerResponse(body, poll_after)


def _replace_lone_surrogates(value: Any) -> Any:
    """The value as valid Unicode: some models write lone surrogates, which AWS services reject."""
    text = json.dumps(value, ensure_ascii=False)
    return json.loads(_as_unicode(text)) if _LONE_SURROGATE.search(text) else value


def _as_unicode(text: str) -> str:
    return _LONE_SURROGATE.sub("\ufffd", text)


@contextmanager
def translate_errors(request: str, *, retry_not_found: bool = False) -> Iterator[None]:
    """Raise our error for one of the SDK's."""
    from upcall.run_apis.bounded_client import UnreadableResponse
    from upcall.run_apis.openai_sdk import APIError, APIStatusError

    try:
        yield
    except UnreadableResponse as error:
        raise RequestRejected(f"{request}: the server sent {error}", code="unreadable_response") from error
    except APIStatusError as error:
        raise _translate_status(error, request, retry_not_found=retry_not_found) from error
    except APIError as error:
        cause = error.__cause__ or error
        message = f"{request}: no answer ({type(cause).__name__})"
        detail = f"{message[:-1]}: {_as_unicode(str(cause))[:MAX_CAUSE_CHARACTERS]})"
        raise TransientError(message, detail=detail) from error


def _translate_status(
    error: "APIStatusError", request: str, *, retry_not_found: bool
) -> TransientError | RequestRejected:
    """Our error for a response with an error status.

    A TransientError is raised, and so gets into logs: its message has the server's code only, because
    messages of servers quote what they were sent. Its detail and a RequestRejected have the server's message,
    for the record.
    """
    status = error.status_code
    message = f"{status}: {describe_error(error)}"
    raw_code: object = error.code  # whatever the server sent, though the SDK declares a string
    code = _as_unicode(raw_code)[:MAX_CODE_CHARACTERS] if isinstance(raw_code, str) else ""
    if 300 <= status < 400:
        target = _redirect_target(error.response.headers.get("location", ""))
        message = f"{request}: the server answered {status}{target}; redirects are not followed"
        return RequestRejected(message, code="redirect")
    retryable = (
        status in _RETRYABLE_STATUSES
        or status >= 500
        or (status == 404 and retry_not_found)
        or code in _RETRYABLE_CODES
    )
    if not retryable or _is_final(code, error.body):
        return RequestRejected(message, code=code or f"http_{status}")
    logger.debug("server not ready", detail=message)
    reason = code if _CODE.fullmatch(code) else responses.get(status, "unknown status")
    return TransientError(f"{status}: {reason}", _parse_retry_after(error.response.headers), detail=message)


def describe_error(error: "APIStatusError") -> str:
    """What the server says about an error. It may quote what it was sent, also the API key."""
    detail = _message(error.body) or error.response.text.strip()[:500] or error.message
    return _as_unicode(detail)[:MAX_MESSAGE_CHARACTERS]


def _redirect_target(location: str) -> str:
    """Where a redirect leads to, for the operator who has to correct the base URL: scheme and host."""
    try:
        target = urlsplit(_as_unicode(location))
    except ValueError:
        return ""
    return f" (to {target.scheme}://{target.hostname})"[:MAX_CAUSE_CHARACTERS] if target.hostname else ""


def _is_final(code: str, body: object) -> bool:
    """Whether an error of a retryable status is one that a pause does not help."""
    fields = body if isinstance(body, dict) else {}
    names = {code, str(fields.get("type"))}
    return bool(names & _FINAL_CODES) or str(fields.get("message")).startswith(TOO_LARGE)


def _parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """The pause that a response asks for: `retry-after-ms`, or `Retry-After` in seconds or as a date."""
    seconds = parse_seconds(headers.get("retry-after-ms"), unit=0.001)
    if seconds is None:
        seconds = parse_retry_after(headers.get("retry-after"), datetime.now(UTC))
    return None if seconds is None else min(seconds, MAX_RETRY_AFTER_SECONDS)


def _message(body: object) -> str | None:
    """The message in an error body: OpenAI's `error.message`, other servers' `detail` or plain text."""
    if isinstance(body, dict):
        body = body.get("message") or body.get("detail")
    return str(body) if body else None
