"""Passes requests of the console on to the API of a stack, with the user's credentials."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, unquote

import httpx
from werkzeug.wrappers import Response

from cli.console.responses import Refused, not_found
from upcall.client.errors import ClientError
from upcall.client.http_api import TIMEOUT_SECONDS, open_http_client, query_of

METHODS: Final = ("GET", "POST")
"""Those of the API."""

REQUEST_HEADERS: Final = ("Content-Type", "Idempotency-Key")
RESPONSE_HEADERS: Final = ("Retry-After", "RateLimit", "RateLimit-Policy")
"""All others stay behind: credentials, cookies, what is about one connection, what is about other origins."""

MAX_RESPONSE_BYTES: Final = 16_000_000
"""A response of API Gateway has at most 10 MB."""


class ApiProxy:
    """The API at a URL without a final slash; `auth` authenticates each request. Serves several threads."""

    def __init__(self, url: str, auth: httpx.Auth | None) -> None:
        self._url = url
        self._http = open_http_client(url, TIMEOUT_SECONDS, auth)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def forward(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Response:
        """The API's response to a request for a path with a query, both encoded. Errors pass through.

        No redirect is followed. Raises Refused if there is no response to pass on.
        """
        path, _, query = target.partition("?")
        if {".", ".."} & set(unquote(path).replace("\\", "/").split("/")):
            raise not_found()  # it would lead out of a path in the URL of the API
        url = self._url + path + (f"?{query_of(parse_qsl(query, keep_blank_values=True))}" if query else "")
        headers = {**headers, "Accept": "application/json"}
        with self._errors(), self._http.stream(method, url, content=body, headers=headers) as response:
            if response.is_redirect:
                raise _no_response(f"{self._url} responded with a redirect, which is not followed")
            return _pass_on(response, self._read(response))

    def _read(self, response: httpx.Response) -> bytes:
        content = bytearray()
        for part in response.iter_bytes():
            content += part
            if len(content) > MAX_RESPONSE_BYTES:
                raise _no_response(f"{self._url} responded with more than {MAX_RESPONSE_BYTES:,} bytes")
        return bytes(content)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn errors of the connection and of the credentials into Refused."""
        try:
            yield
        except httpx.InvalidURL:
            raise not_found() from None
        except httpx.TimeoutException:
            detail = f"{self._url} did not respond within {TIMEOUT_SECONDS} s"
            raise Refused(HTTPStatus.GATEWAY_TIMEOUT, detail) from None
        except httpx.HTTPError as error:
            raise _no_response(f"{self._url} cannot be reached: {error or type(error).__name__}") from None
        except ClientError as error:
            raise _no_response(str(error)) from None


def _pass_on(response: httpx.Response, content: bytes) -> Response:
    """The response with its status. What is no JSON is text, so that no page becomes one of the console."""
    given = response.headers.get("Content-Type", "")
    media_type = given.partition(";")[0].strip().lower()
    is_json = media_type == "application/json" or media_type.endswith("+json")
    headers = {name: response.headers[name] for name in RESPONSE_HEADERS if name in response.headers}
    content_type = media_type if is_json else "text/plain; charset=utf-8"
    return Response(content, response.status_code, headers, content_type=content_type)


def _no_response(detail: str) -> Refused:
    return Refused(HTTPStatus.BAD_GATEWAY, detail)
