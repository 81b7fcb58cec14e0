"""Requests to the HTTP API and its responses: retries, errors, pages."""

import time
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import httpx
from pydantic import ValidationError

from upcall.client.errors import ApiError, ClientError, ConnectionLost
from upcall.domain.batch_view import BatchList
from upcall.domain.model import Model
from upcall.domain.views import MAX_PAGE_SIZE, CallList, MessagePage, RunList

M = TypeVar("M", bound=Model)
P = TypeVar("P", BatchList, CallList, MessagePage, RunList)

TIMEOUT_SECONDS = 35
"""An HTTP API gives its functions 30 s (AWS quota). A response that takes longer will not come."""

RETRY_DELAYS_SECONDS = (0.25, 0.5, 1.0, 2.0)

RETRYABLE_STATUSES = (429, 500, 502, 503, 504)

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")


class HttpApi:
    """An API at a URL. See UpcallClient for the parameters."""

    def __init__(
        self,
        url: str,
        auth: httpx.Auth | None,
        auth_hint: str,
        retry_delays: tuple[float, ...],
        timeout: float,
    ) -> None:
        self.url = url
        self.retry_delays = retry_delays
        self.timeout = timeout
        self._auth_hint = auth_hint
        self._http = open_http_client(url, timeout, auth, base_url=url)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def pages(self, model: type[P], path: str, **parameters: int) -> Iterator[P]:
        """All pages of a list, each requested with the cursor of the one before."""
        cursor = None
        while True:
            page = self.parse(model, self.send("GET", f"{path}?{query(**parameters, cursor=cursor)}"))
            yield page
            if (cursor := page.next_cursor) is None:
                return

    def pages_up_to(
        self,
        model: type[P],
        path: str,
        limit: int,
        count: Callable[[P], int],
        **parameters: str | int | None,
    ) -> Iterator[P]:
        """Pages of a list until they have `limit` items; `count` says how many a page has."""
        cursor = None
        while limit > 0:
            wanted = query(**parameters, limit=min(limit, MAX_PAGE_SIZE), cursor=cursor)
            page = self.parse(model, self.send("GET", f"{path}?{wanted}"))
            yield page
            limit -= count(page)
            if (cursor := page.next_cursor) is None:
                return

    def send(
        self,
        method: str,
        path: str,
        *,
        content: str = "",
        headers: dict[str, str] | None = None,
        retry: bool = True,
    ) -> bytes:
        """The body of a successful response. Transient errors are retried if `retry` is set.

        Raises ApiError and ConnectionLost.
        """
        for delay in (*(self.retry_delays if retry else ()), None):
            try:
                response = self._http.request(method, path, content=content, headers=headers)
            except httpx.TimeoutException:
                failure: ClientError = ConnectionLost(f"{self.url} did not respond within {self.timeout} s")
            except httpx.RequestError as error:
                failure = ConnectionLost(f"{self.url} cannot be reached: {error or type(error).__name__}")
            else:
                if response.is_success:
                    return response.content
                failure = self._error_of(response)
                if response.status_code not in RETRYABLE_STATUSES:
                    break
            if delay is not None:
                time.sleep(delay)
        raise failure

    def _error_of(self, response: httpx.Response) -> ApiError:
        """The error with the message of Upcall's problem document, otherwise with API Gateway's."""
        try:
            document: Any = response.json()
        except ValueError:
            document = None
        fields = document if isinstance(document, dict) else {}
        status = response.status_code
        if detail := fields.get("detail"):
            return ApiError(status, str(detail))
        detail = str(fields.get("message") or response.reason_phrase)
        text = f"{self.url} responded with {status}: {detail}"
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN) and self._auth_hint:
            text = f"{text}; {self._auth_hint}"
        return ApiError(status, detail, text)

    def parse(self, model: type[M], content: bytes) -> M:
        """The model in a response."""
        try:
            return model.model_validate_json(content, extra="ignore")
        except ValidationError:
            raise ClientError(f"the response of {self.url} is not that of an Upcall API") from None


def open_http_client(
    url: str, timeout: float, auth: httpx.Auth | None = None, base_url: str = ""
) -> httpx.Client:
    """An HTTP client for the host of that URL. Raises ClientError."""
    # a proxy cannot reach the loopback interface of this machine
    use_proxy_settings = httpx.URL(url).host not in LOOPBACK_HOSTS
    try:
        return httpx.Client(base_url=base_url, auth=auth, timeout=timeout, trust_env=use_proxy_settings)
    except (ImportError, OSError, ValueError) as error:
        raise ClientError(f"the environment's proxy or certificate settings are invalid: {error}") from error


def query(**parameters: str | int | None) -> str:
    """A query string, encoded as a signature expects it: a space is %20, not +."""
    return query_of((name, value) for name, value in parameters.items() if value is not None)


def query_of(parameters: Iterable[tuple[str, str | int]]) -> str:
    """The same for parameters of any names, of which one may come several times."""
    return urlencode(list(parameters), quote_via=quote, safe="")
