"""Upcall's HTTP API as the command asks it, on the laptop or on AWS. The one owner of its retries."""

import re
import time
import uuid
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote, urlencode

import httpx
from pydantic import ValidationError

from cli.errors import Problem
from upcall.domain.model import Model
from upcall.domain.run_request import RunRequest
from upcall.domain.status import Status
from upcall.domain.tool_calls import LedgerEntry
from upcall.domain.views import (
    CallList,
    RunList,
    RunSummary,
    RunView,
)

M = TypeVar("M", bound=Model)

TIMEOUT_SECONDS = 35
"""An HTTP API of AWS gives its functions 30 s (AWS quota); after that somebody on the way has died."""

PAUSES_SECONDS = (0.25, 0.5, 1.0, 2.0)

TRY_AGAIN = (429, 500, 502, 503, 504)

LIST_LIMIT = 100
"""Runs that one part of the list holds at most."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Accepted(Model):
    """What POST /runs answers, as far as the command reads it."""

    run_id: str


class Api:
    """The API at an address; a context manager. What goes wrong with it is a Problem.

    `refused` is what to say where the API does not let its caller in; `pauses` are before each further
    try, of which there are as many. Fields that this version does not know are left out, so that it gets
    along with a stack that is newer.
    """

    def __init__(
        self,
        url: str,
        auth: httpx.Auth | None = None,
        refused: str = "",
        pauses: tuple[float, ...] = PAUSES_SECONDS,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self.url = url
        self._refused = refused
        self._pauses = pauses
        self._timeout = timeout
        # loopback is never behind a proxy, whatever proxies the user has
        abroad = httpx.URL(url).host not in LOOPBACK
        try:
            self._http = httpx.Client(base_url=url, auth=auth, timeout=timeout, trust_env=abroad)
        except (ImportError, OSError, ValueError) as error:
            raise Problem(f"the variables that name a proxy or certificates are wrong: {error}") from error

    def start(self, request: RunRequest) -> str:
        """Start a run, one however often the request has to be sent; its id."""
        body = request.model_dump_json(exclude_none=True, exclude_unset=True)
        headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
        return self._read(Accepted, self._ask("POST", "/runs", content=body, headers=headers)).run_id

    def run(self, run_id: str, wait: int = 0) -> RunView:
        """A run, once it has ended or after `wait` seconds, 25 at most."""
        return self._read(RunView, self._ask("GET", f"{_path(run_id)}?wait={wait}"))

    def cancel(self, run_id: str) -> RunView:
        """Cancel a run. Asked once: a second time would be told that the run has ended already."""
        return self._read(RunView, self._ask("POST", f"{_path(run_id)}/cancel", again=False))

    def retry(self, run_id: str) -> RunView:
        """Have a run tried again. Asked once: a second time would be told that it has not ended."""
        return self._read(RunView, self._ask("POST", f"{_path(run_id)}/retry", again=False))

    def runs(self, status: Status | None, limit: int) -> Iterator[RunSummary]:
        """At most so many runs, newest first, part by part."""
        cursor = None
        while limit > 0:
            query = _query(status=status, limit=min(limit, LIST_LIMIT), cursor=cursor)
            part = self._read(RunList, self._ask("GET", f"/runs?{query}"))
            yield from part.runs
            limit -= len(part.runs)
            if (cursor := part.next_cursor) is None:
                return

    def calls(self, run_id: str) -> list[LedgerEntry]:
        """The ledger of a run, round by round."""
        found: list[LedgerEntry] = []
        cursor = None
        while True:
            query = _query(limit=20, cursor=cursor)
            part = self._read(CallList, self._ask("GET", f"{_path(run_id)}/calls?{query}"))
            found += part.calls
            if (cursor := part.next_cursor) is None:
                return sorted(found, key=lambda entry: (entry.round, entry.position))

    def _ask(
        self,
        method: str,
        path: str,
        *,
        content: str = "",
        headers: dict[str, str] | None = None,
        again: bool = True,
    ) -> bytes:
        """The body of a good answer. Asks again after each pause, if it may, where that may help."""
        for pause in (*(self._pauses if again else ()), None):
            try:
                answer = self._http.request(method, path, content=content, headers=headers)
            except httpx.TimeoutException:
                trouble = Problem(f"{self.url} does not answer within {self._timeout} s")
            except httpx.RequestError as error:
                trouble = Problem(f"{self.url} cannot be reached: {error or type(error).__name__}")
            else:
                if answer.is_success:
                    return answer.content
                trouble = self._problem(answer)
                if answer.status_code not in TRY_AGAIN:
                    break
            if pause is not None:
                time.sleep(pause)
        raise trouble

    def _problem(self, answer: httpx.Response) -> Problem:
        """What an answer says is wrong: in the API's own words, else in API Gateway's."""
        try:
            told: Any = answer.json()
        except ValueError:
            told = None
        words = told if isinstance(told, dict) else {}
        if detail := words.get("detail"):
            return Problem(detail)
        said = f"{self.url} answers {answer.status_code}: {words.get('message') or answer.reason_phrase}"
        if answer.status_code in (401, 403) and self._refused:
            said = f"{said}; {self._refused}"
        return Problem(said)

    def _read(self, kind: type[M], content: bytes) -> M:
        try:
            return kind.model_validate_json(content, extra="ignore")
        except ValidationError:
            raise Problem(f"{self.url} does not answer as Upcall's API does") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()


def _path(run_id: str) -> str:
    """Where a run is. A word that is no id has no place of its own in a URL: it may hold a slash."""
    if not re.fullmatch(r"\w+", run_id, re.ASCII):
        raise Problem(f"there is no run {run_id!r}")
    return f"/runs/{run_id}"


def _query(**parameters: str | int | None) -> str:
    """A query string in the one spelling that a signature stands for: a space is %20, not +."""
    given = {name: value for name, value in parameters.items() if value is not None}
    return urlencode(given, quote_via=quote, safe="")
