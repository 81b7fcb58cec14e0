"""The one owner of the OpenAI SDK: sends a request, gives back JSON, names the errors.

The SDK brings authentication, time-outs and its error classes. Its own retries are off, because the
workflow owns them, and its typed resources stay unloaded: they double a cold start, and compatible
servers differ more than their strict types allow.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http.client import responses
from types import MappingProxyType
from typing import Any, Final

import openai
from httpx2 import Response

from upcall import settings
from upcall.errors import Refused, TryAgain
from upcall.log import logger
from upcall.secrets import secret

TIMEOUT_SECONDS = 60.0
"""Longest silence of the server. Some compatible servers answer a creation only when they are done."""

Headers = Mapping[str, str]
NONE: Headers = MappingProxyType({})

_WORTH_REPEATING = {408, 409, 425, 429}
"""Besides all 5xx. 409 is a conversation that is locked for a moment."""

_HOPELESS_CODES = {"insufficient_quota"}
"""429s that no waiting mends: https://platform.openai.com/docs/guides/error-codes."""


_CODE: Final = re.compile("[a-z0-9_]{1,60}")
"""Of an error, where it is one and not a sentence."""


@dataclass(frozen=True)
class Answer:
    """What the server said: the JSON object, and how long it would like us to wait before the next poll."""

    body: Mapping[str, Any]
    poll_after_seconds: float | None

    @property
    def id(self) -> str:
        """The id of what the server made. Raises Refused if it has none."""
        if isinstance(found := self.body.get("id"), str):
            return found
        raise Refused("the server made something that has no id", code="no_id")


def get(path: str, *, headers: Headers = NONE, **params: str | int) -> Answer:
    """GET a path below the base URL. Raises TryAgain or Refused."""
    return _send("get", path, {"headers": headers, "params": params})


def post(path: str, body: Mapping[str, Any] | None = None, *, headers: Headers = NONE) -> Answer:
    """POST JSON to a path below the base URL. Raises TryAgain or Refused."""
    return _send("post", path, {"headers": headers}, body)


def _send(method: str, path: str, options: Any, body: Mapping[str, Any] | None = None) -> Answer:
    client = _client(settings.openai_base_url(), secret(settings.openai_secret_name()))
    try:
        if method == "get":
            response = client.get(path, cast_to=Response, options=options)
        else:
            response = client.post(path, cast_to=Response, body=body, options=options)
    except openai.APIConnectionError as error:
        cause = type(error.__cause__ or error).__name__
        raise TryAgain(f"{method.upper()} {path}: no answer ({cause})") from error
    except openai.APIStatusError as error:
        raise _named(error) from error
    return Answer(_object(response), _poll_after(response))


@cache
def _client(base_url: str, api_key: str) -> openai.OpenAI:
    return openai.OpenAI(api_key=api_key, base_url=base_url, max_retries=0, timeout=TIMEOUT_SECONDS)


def _object(response: Response) -> Mapping[str, Any]:
    if response.status_code in (202, 204) and not response.content:
        return {}
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refused(
            f"{response.request.url} answered {response.status_code}, but not with a JSON object",
            code="not_json",
        )
    return body


def _named(error: openai.APIStatusError) -> TryAgain | Refused:
    """The error as what the caller should do; a refusal in the server's own words.

    What is to be repeated is raised, and so gets into logs: it has the server's code alone, because the
    words of servers quote what they were sent.
    """
    status = error.status_code
    words = _words(error.body) or error.response.text.strip()[:500] or error.message
    message = f"{status}: {words}"
    repeat = status in _WORTH_REPEATING or status >= 500
    if repeat and error.code not in _HOPELESS_CODES:
        code = error.code if _CODE.fullmatch(str(error.code)) else responses.get(status, "no good answer")
        logger.debug("the server is not ready", words=message)
        return TryAgain(f"{status}: {code}", retry_after=_seconds(error.response.headers.get("retry-after")))
    return Refused(message, code=error.code or f"http_{status}")


def _words(body: object) -> str | None:
    """The message in an error body: OpenAI's `error.message`, other servers' `detail` or plain text."""
    if isinstance(body, dict):
        body = body.get("message") or body.get("detail")
    return str(body) if body else None


def _poll_after(response: Response) -> float | None:
    milliseconds = _seconds(response.headers.get("openai-poll-after-ms"))
    return None if milliseconds is None else milliseconds / 1000


def _seconds(header: str | None) -> float | None:
    """A header that holds a number of seconds; a date, nonsense or nothing is None."""
    try:
        value = float(header or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
