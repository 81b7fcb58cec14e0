"""A client of Upcall's HTTP API, for local and deployed stacks. The retries of the command are here."""

import re
import time
import uuid
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote, urlencode

import httpx
from pydantic import ValidationError

from cli.errors import CommandError
from upcall.domain.model import Model
from upcall.domain.run_request import RunRequest
from upcall.domain.status import Status
from upcall.domain.tool_calls import LedgerEntry
from upcall.domain.views import MAX_PAGE_SIZE, CallList, MessagePage, RunList, RunSummary, RunView

M = TypeVar("M", bound=Model)
P = TypeVar("P", CallList, MessagePage)

TIMEOUT_SECONDS = 35
"""An HTTP API gives its functions 30 s (AWS quota). A response that takes longer will not come."""

RETRY_DELAYS_SECONDS = (0.25, 0.5, 1.0, 2.0)

RETRYABLE_STATUSES = (429, 500, 502, 503, 504)

CALLS_PAGE_SIZE = 20

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")


class _RunAccepted(Model):
    """What the command reads of the response to POST /runs."""

    run_id: str


class ApiClient:
    """The API at a URL; a context manager. Every error is a CommandError.

    `auth_hint` is added to the error if the API rejects the caller. A request is repeated after each of
    `retry_delays`, in seconds. Fields of a response that this version does not know are ignored, so that the
    command works with a newer stack.
    """

    def __init__(
        self,
        url: str,
        auth: httpx.Auth | None = None,
        auth_hint: str = "",
        retry_delays: tuple[float, ...] = RETRY_DELAYS_SECONDS,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self.url = url
        self._auth_hint = auth_hint
        self._retry_delays = retry_delays
        self._timeout = timeout
        # a proxy cannot reach the loopback interface of this machine
        use_proxy_settings = httpx.URL(url).host not in LOOPBACK_HOSTS
        try:
            self._http = httpx.Client(base_url=url, auth=auth, timeout=timeout, trust_env=use_proxy_settings)
        except (ImportError, OSError, ValueError) as error:
            raise CommandError(
                f"the environment's proxy or certificate settings are invalid: {error}"
            ) from error

    def start_run(self, request: RunRequest) -> str:
        """Start a run and return its id. However often the request is sent, it starts one run."""
        body = request.model_dump_json(exclude_none=True, exclude_unset=True)
        headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
        response = self._send("POST", "/runs", content=body, headers=headers)
        return self._parse(_RunAccepted, response).run_id

    def get_run(self, run_id: str, wait: int = 0) -> RunView:
        """A run, when it has ended or after `wait` seconds, 25 at most, with all parts of its message."""
        run = self._parse(RunView, self._send("GET", f"{_run_path(run_id)}?wait={wait}"))
        if run.message_url is None:
            return run
        parts = self._pages(MessagePage, f"{_run_path(run_id)}/message")
        message = "".join(part.text for part in parts)
        return run.model_copy(update={"message": message, "message_url": None})

    def cancel_run(self, run_id: str) -> RunView:
        """Cancel a run. Not repeated: a repetition would fail because the run has ended."""
        return self._parse(RunView, self._send("POST", f"{_run_path(run_id)}/cancel", retry=False))

    def retry_run(self, run_id: str) -> RunView:
        """Retry a run. Not repeated: a repetition would fail because the run has not ended."""
        return self._parse(RunView, self._send("POST", f"{_run_path(run_id)}/retry", retry=False))

    def list_runs(self, status: Status | None, limit: int) -> Iterator[RunSummary]:
        """At most `limit` runs, newest first, read page by page."""
        cursor = None
        while limit > 0:
            query = _query(status=status, limit=min(limit, MAX_PAGE_SIZE), cursor=cursor)
            page = self._parse(RunList, self._send("GET", f"/runs?{query}"))
            yield from page.runs
            limit -= len(page.runs)
            if (cursor := page.next_cursor) is None:
                return

    def list_calls(self, run_id: str) -> list[LedgerEntry]:
        """The whole ledger of a run, by round and position."""
        pages = self._pages(CallList, f"{_run_path(run_id)}/calls", limit=CALLS_PAGE_SIZE)
        calls = (entry for page in pages for entry in page.calls)
        return sorted(calls, key=lambda entry: (entry.round, entry.position))

    def _pages(self, model: type[P], path: str, **parameters: int) -> Iterator[P]:
        """All pages of a list, each requested with the cursor of the one before."""
        cursor = None
        while True:
            page = self._parse(model, self._send("GET", f"{path}?{_query(**parameters, cursor=cursor)}"))
            yield page
            if (cursor := page.next_cursor) is None:
                return

    def _send(
        self,
        method: str,
        path: str,
        *,
        content: str = "",
        headers: dict[str, str] | None = None,
        retry: bool = True,
    ) -> bytes:
        """The body of a successful response. Transient errors are retried if `retry` is set."""
        for delay in (*(self._retry_delays if retry else ()), None):
            try:
                response = self._http.request(method, path, content=content, headers=headers)
            except httpx.TimeoutException:
                failure = CommandError(f"{self.url} did not respond within {self._timeout} s")
            except httpx.RequestError as error:
                failure = CommandError(f"{self.url} cannot be reached: {error or type(error).__name__}")
            else:
                if response.is_success:
                    return response.content
                failure = self._error_of(response)
                if response.status_code not in RETRYABLE_STATUSES:
                    break
            if delay is not None:
                time.sleep(delay)
        raise failure

    def _error_of(self, response: httpx.Response) -> CommandError:
        """The error with the message of Upcall's problem document, otherwise with API Gateway's."""
        try:
            document: Any = response.json()
        except ValueError:
            document = None
        fields = document if isinstance(document, dict) else {}
        if detail := fields.get("detail"):
            return CommandError(detail)
        message = fields.get("message") or response.reason_phrase
        text = f"{self.url} responded with {response.status_code}: {message}"
        if response.status_code in (401, 403) and self._auth_hint:
            text = f"{text}; {self._auth_hint}"
        return CommandError(text)

    def _parse(self, model: type[M], content: bytes) -> M:
        try:
            return model.model_validate_json(content, extra="ignore")
        except ValidationError:
            raise CommandError(f"the response of {self.url} is not that of an Upcall API") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()


def _run_path(run_id: str) -> str:
    """The path of a run. Text that cannot be an id is rejected here: it could change the path."""
    if not re.fullmatch(r"\w+", run_id, re.ASCII):
        raise CommandError(f"there is no run {run_id!r}")
    return f"/runs/{run_id}"


def _query(**parameters: str | int | None) -> str:
    """A query string, encoded as a signature expects it: a space is %20, not +."""
    given = {name: value for name, value in parameters.items() if value is not None}
    return urlencode(given, quote_via=quote, safe="")
