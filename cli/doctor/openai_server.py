"""The OpenAI server of a stack, asked from this machine as functions ask it, with their API key."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from cli.doctor.finding import shorten
from upcall.run_apis.client import create_client, describe_error

if TYPE_CHECKING:
    from openai import OpenAI

TIMEOUT_SECONDS = 10
"""Of a request."""

HIDDEN_CHARACTERS = 8
"""So many characters of the key in a row are not printed. Servers quote the key that they refuse."""


class NoResponse(Exception):
    """The server cannot be reached, or its response not be read. The message says why."""


@dataclass(frozen=True)
class Reply:
    """A response: the status, the message of an error, and the JSON of a success, or None."""

    status: int
    message: str
    content: Any

    def __str__(self) -> str:
        return f"{self.status}: {self.message}" if self.message else str(self.status)


@dataclass(frozen=True)
class OpenAIServer:
    """A server and the key for it. The key is in no message."""

    client: "OpenAI"
    key: str

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Reply:
        """GET a path below the base URL. Raises NoResponse."""
        return self._send(self.client.get, path, {"headers": headers or {}})

    def post(self, path: str, body: Mapping[str, Any]) -> Reply:
        """POST JSON to a path below the base URL. Raises NoResponse."""
        return self._send(partial(self.client.post, body=body), path, {})

    def delete(self, path: str) -> Reply:
        """DELETE a path below the base URL. Raises NoResponse."""
        return self._send(self.client.delete, path, {})

    def _send(self, method: Callable[..., Any], path: str, options: Mapping[str, Any]) -> Reply:
        from httpx2 import Response
        from openai import APIError, APIStatusError

        from upcall.run_apis.bounded_client import UnreadableResponse

        try:
            response = method(path, cast_to=Response, options={"timeout": TIMEOUT_SECONDS, **options})
        except APIStatusError as error:
            return Reply(error.status_code, self._shorten(describe_error(error)), None)
        except (APIError, UnreadableResponse) as error:
            cause = error.__cause__ or error
            raise NoResponse(self._shorten(f"{type(cause).__name__}: {cause}")) from None
        try:
            return Reply(response.status_code, "", json.loads(response.content))
        except (ValueError, RecursionError):
            return Reply(response.status_code, "", None)

    def _shorten(self, message: str) -> str:
        return shorten(hide_key(message, self.key))


def connect(base_url: str, key: str, organization: str, project: str) -> OpenAIServer:
    """The server at a base URL. An empty organization or project is not sent."""
    return OpenAIServer(create_client(base_url, key, organization or None, project or None), key)


def hide_key(text: str, key: str) -> str:
    """The text with an asterisk in place of each character that belongs to the key or to a part of it."""
    length = min(len(key), HIDDEN_CHARACTERS)
    parts = {key[start : start + length] for start in range(len(key) - length + 1)}
    hidden = {
        start + offset
        for start in range(len(text) - length + 1)
        if text[start : start + length] in parts
        for offset in range(length)
    }
    return "".join("*" if position in hidden else each for position, each in enumerate(text))
