"""The only user of the OpenAI SDK: sends a request, returns JSON, raises our errors.

The SDK brings authentication, time-outs and error classes. Its retries are off, because the workflow retries.
Its typed resources stay unloaded: they double a cold start, and compatible servers differ from them. The SDK
itself is loaded with the first request, or by `load_sdk`.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http.client import responses
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from upcall import config
from upcall.aws.secrets_manager import get_secret
from upcall.domain.errors import RequestRejected, TransientError
from upcall.domain.failure import MAX_CODE_CHARACTERS
from upcall.observability.logging import logger

if TYPE_CHECKING:
    import openai
    from httpx2 import Response

TIMEOUT_SECONDS = 60.0
"""Longest silence of the server. Some compatible servers answer a creation only when they are done."""

Headers = Mapping[str, str]
NO_HEADERS: Headers = MappingProxyType({})

MAX_RETRY_AFTER_SECONDS = 3600.0
"""The longest pause that a server can ask for; the run's limits are checked in between."""

MAX_MESSAGE_CHARACTERS = 2000
"""Of a server's message: it passes through the workflow's state and is part of the record."""

_RETRYABLE_STATUSES = {408, 409, 425, 429}
"""Besides all 5xx. 409 means a conversation that is locked for a moment."""

_FINAL_CODES = {"insufficient_quota"}
"""429s that a pause does not help: https://platform.openai.com/docs/guides/error-codes."""

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
    """Load the OpenAI SDK now. A function that will need it does so while it starts, with a full CPU."""
    import httpx2  # noqa: F401
    import openai  # noqa: F401


def get(path: str, *, headers: Headers = NO_HEADERS, **params: str | int) -> ServerResponse:
    """GET a path below the base URL. Raises TransientError or RequestRejected."""
    import openai
    from httpx2 import Response

    options: Any = {"headers": headers, "params": params}
    try:
        response = _client().get(path, cast_to=Response, options=options)
    except openai.APIError as error:
        raise _translate(error, f"GET {path}") from error
    return _parse_response(response)


def post(
    path: str, body: Mapping[str, Any] | None = None, *, headers: Headers = NO_HEADERS
) -> ServerResponse:
    """POST JSON to a path below the base URL. Raises TransientError or RequestRejected."""
    import openai
    from httpx2 import Response

    options: Any = {"headers": headers}
    try:
        response = _client().post(path, cast_to=Response, body=body, options=options)
    except openai.APIError as error:
        raise _translate(error, f"POST {path}") from error
    return _parse_response(response)


def _client() -> "openai.OpenAI":
    return _cached_client(config.openai_base_url(), get_secret(config.openai_secret_name()))


@cache
def _cached_client(base_url: str, api_key: str) -> "openai.OpenAI":
    import openai

    return openai.OpenAI(api_key=api_key, base_url=base_url, max_retries=0, timeout=TIMEOUT_SECONDS)


def _parse_response(response: "Response") -> ServerResponse:
    poll_after = _parse_seconds(response.headers.get("openai-poll-after-ms"), unit=0.001)
    if response.status_code in (202, 204) and not response.content:
        return ServerResponse({}, poll_after)
    try:
        body = _replace_lone_surrogates(json.loads(response.content.decode("utf-8-sig", "replace")))
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        message = f"{response.request.url} answered {response.status_code}, but not with a JSON object"
        raise RequestRejected(message, code="not_json")
    return ServerResponse(body, poll_after)


def _replace_lone_surrogates(value: Any) -> Any:
    """The value as valid Unicode: some models write lone surrogates, which AWS services reject."""
    text = json.dumps(value, ensure_ascii=False)
    return json.loads(_as_unicode(text)) if _LONE_SURROGATE.search(text) else value


def _as_unicode(text: str) -> str:
    return _LONE_SURROGATE.sub("\ufffd", text)


def _translate(error: "openai.APIError", request: str) -> TransientError | RequestRejected:
    """Our error for one of the SDK's.

    A TransientError is raised, and so gets into logs: its message has the server's code only, because
    messages of servers quote what they were sent. A RequestRejected has the server's message, for the record.
    """
    import openai

    if not isinstance(error, openai.APIStatusError):
        cause = type(error.__cause__ or error).__name__
        return TransientError(f"{request}: no answer ({cause})")
    status = error.status_code
    detail = _message(error.body) or error.response.text.strip()[:500] or error.message
    message = f"{status}: {_as_unicode(detail)[:MAX_MESSAGE_CHARACTERS]}"
    raw_code: object = error.code  # whatever the server sent, though the SDK declares a string
    code = _as_unicode(raw_code)[:MAX_CODE_CHARACTERS] if isinstance(raw_code, str) else ""
    retryable = status in _RETRYABLE_STATUSES or status >= 500
    if not retryable or code in _FINAL_CODES:
        return RequestRejected(message, code=code or f"http_{status}")
    logger.debug("server not ready", detail=message)
    reason = code if _CODE.fullmatch(code) else responses.get(status, "unknown status")
    retry_after = _parse_seconds(error.response.headers.get("retry-after"))
    return TransientError(f"{status}: {reason}", retry_after)


def _message(body: object) -> str | None:
    """The message in an error body: OpenAI's `error.message`, other servers' `detail` or plain text."""
    if isinstance(body, dict):
        body = body.get("message") or body.get("detail")
    return str(body) if body else None


def _parse_seconds(header: str | None, unit: float = 1) -> float | None:
    """The seconds in a header that holds a number of units; None for a date or anything else."""
    try:
        seconds = float(header or "") * unit
    except ValueError:
        return None
    return min(seconds, MAX_RETRY_AFTER_SECONDS) if math.isfinite(seconds) and seconds >= 0 else None
