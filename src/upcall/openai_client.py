"""The one owner of the OpenAI SDK: sends a request, gives back JSON, names the errors.

The SDK brings authentication, time-outs and its error classes. Its own retries are off, because the
workflow owns them, and its typed resources stay unloaded: they double a cold start, and compatible
servers differ more than their strict types allow.
"""

import json
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

LONGEST_WISH_SECONDS = 3600.0
"""A server is left alone for so long at most, whatever it asks: a run's limits are looked at in between."""

MAX_WORDS_CHARACTERS = 2000
MAX_CODE_CHARACTERS = 200
"""Of what a server says: it passes through the workflow's state, and stands in the record."""

_WORTH_REPEATING = {408, 409, 425, 429}
"""Besides all 5xx. 409 is a conversation that is locked for a moment."""

_PATH_ID = re.compile(r"(?!\.+$)[\w.:=+~@-]{1,512}", re.ASCII)
_HALF = re.compile("[\ud800-\udfff]")
"""Of a surrogate pair; where the other half stands beside it, JSON has made one character of both."""

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
        return path_id(self.body)


def path_id(made: Mapping[str, Any]) -> str:
    """The id of something on the server. Raises Refused if it has none that can stand in a path."""
    found = made.get("id")
    if isinstance(found, str) and _PATH_ID.fullmatch(found):
        return found
    raise Refused("the server made something that has no id, or one that no path can hold", code="no_id")


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
        body = _unicode(json.loads(response.content.decode("utf-8-sig", "replace")))
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Refused(
            f"{response.request.url} answered {response.status_code}, but not with a JSON object",
            code="not_json",
        )
    return body


def _unicode(value: Any) -> Any:
    """The value without halves of surrogate pairs: some models write them, and nothing else takes them."""
    text = json.dumps(value, ensure_ascii=False)
    return json.loads(_whole(text)) if _HALF.search(text) else value


def _whole(text: str) -> str:
    return _HALF.sub("\ufffd", text)


def _named(error: openai.APIStatusError) -> TryAgain | Refused:
    """The error as what the caller should do; a refusal in the server's own words.

    What is to be repeated is raised, and so gets into logs: it has the server's code alone, because the
    words of servers quote what they were sent.
    """
    status = error.status_code
    words = _words(error.body) or error.response.text.strip()[:500] or error.message
    message = f"{status}: {_whole(words)[:MAX_WORDS_CHARACTERS]}"
    told: object = error.code  # as the server sent it, whatever the SDK says of its type
    code = _whole(told)[:MAX_CODE_CHARACTERS] if isinstance(told, str) else ""
    repeat = status in _WORTH_REPEATING or status >= 500
    if repeat and code not in _HOPELESS_CODES:
        said = code if _CODE.fullmatch(code) else responses.get(status, "no good answer")
        logger.debug("the server is not ready", words=message)
        return TryAgain(f"{status}: {said}", retry_after=_wish(error.response.headers.get("retry-after")))
    return Refused(message, code=code or f"http_{status}")


def _words(body: object) -> str | None:
    """The message in an error body: OpenAI's `error.message`, other servers' `detail` or plain text."""
    if isinstance(body, dict):
        body = body.get("message") or body.get("detail")
    return str(body) if body else None


def _poll_after(response: Response) -> float | None:
    return _wish(response.headers.get("openai-poll-after-ms"), of_a_second=1000)


def _wish(header: str | None, of_a_second: int = 1) -> float | None:
    """The seconds in a header that holds a number of them, or of parts; a date or nonsense is None."""
    try:
        value = float(header or "") / of_a_second
    except ValueError:
        return None
    return min(value, LONGEST_WISH_SECONDS) if math.isfinite(value) and value >= 0 else None
