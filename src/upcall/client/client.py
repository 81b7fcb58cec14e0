"""A client of Upcall's HTTP API, for local and deployed stacks."""

import logging
import re
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import httpx
from pydantic import ValidationError

from upcall.client.batches import BatchClient
from upcall.client.errors import ApiError
from upcall.client.functions import CallerFunctions, Function, FunctionResult, forget_run
from upcall.client.http_api import RETRY_DELAYS_SECONDS, TIMEOUT_SECONDS, HttpApi, query
from upcall.domain.answers import DecisionRequest, GivenOutput, ToolOutputsRequest
from upcall.domain.errors import InvalidInput
from upcall.domain.message_text import TextPiece
from upcall.domain.model import Model
from upcall.domain.run_events import MAX_EVENTS, RunEvent, RunEventList
from upcall.domain.run_request import RunRequest
from upcall.domain.status import Status
from upcall.domain.tool_calls import Decision, LedgerEntry
from upcall.domain.validation import field_errors
from upcall.domain.views import (
    CallList,
    MessagePage,
    OpenCallView,
    RunList,
    RunSummary,
    RunView,
)

M = TypeVar("M", bound=Model)

logger = logging.getLogger(__name__)

CALLS_PAGE_SIZE = 20

WAIT_SECONDS = 20
"""How long one request waits for a change of a run that is followed."""

PAUSE_SECONDS = 2.0
"""From a request that has brought nothing to the next. The API does not wait if too many requests of the
caller do."""


class _RunAccepted(Model):
    """What the client reads of the response to POST /runs."""

    run_id: str


class RunObserver:
    """Is told how a run goes on that is followed. Override what you need.

    As it is, it logs the exceptions of functions and outputs that are rejected, and nothing else.
    """

    def events_happened(self, events: Sequence[RunEvent]) -> None:
        """More has happened to the run: each event once, in order, from the first one on."""

    def text_written(self, pieces: Sequence[TextPiece]) -> None:
        """The model has written more: each piece once, in order. A piece with the offset 0 begins anew."""

    def run_updated(self, run: RunView) -> None:
        """The run was read: after each change or wait, and when it has ended."""

    def function_started(self, call: OpenCallView) -> None:
        """A call is answered now, with a new output or, if a response was lost, with the same again."""

    def function_ended(self, result: FunctionResult) -> None:
        """The output of a call is known, and is sent next."""
        if result.exception is not None:
            logger.error("function failed", exc_info=result.exception, extra={"tool": result.call.name})

    def output_rejected(self, result: FunctionResult, error: ApiError) -> None:
        """The API does not take the output: the call is answered otherwise, or the run has ended."""
        logger.warning("output rejected", extra={"tool": result.call.name, "detail": error.detail})


class UpcallClient(BatchClient):
    """The API at a URL; a context manager. One client may serve several threads.

    `auth` is a BearerAuth, an IamAuth or None for the local stack; `auth_hint` is added to the error if the
    API rejects the caller. A request that fails for a reason that passes is repeated after each of
    `retry_delays`, in seconds. A response must come within `timeout` seconds. Fields of a response that this
    version does not know are ignored, so that it works with a newer stack.

    Every method raises ApiError if the API responds with an error, and ClientError for all other failures.
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
        self._api = HttpApi(url, auth, auth_hint, retry_delays, timeout)

    def run(
        self,
        request: RunRequest | str,
        tools: Iterable[Function] = (),
        observer: RunObserver | None = None,
    ) -> RunView:
        """Start a run with a request or a prompt, follow it to its end, and return it.

        `tools` are typed Python functions that the model may call; they run in this process (see
        CallerFunctions). The run may end without a message: see its status and failure. Raises InvalidInput
        for a prompt that is empty or too long, and TypeError for a function that cannot be a tool.
        """
        functions = CallerFunctions(tools)
        run_id = self.start_run(with_functions(_to_request(request), functions))
        return self.follow(run_id, functions, observer)

    def follow(
        self,
        run_id: str,
        tools: CallerFunctions | Iterable[Function] = (),
        observer: RunObserver | None = None,
        wait_seconds: int = WAIT_SECONDS,
        pause_seconds: float | None = None,
    ) -> RunView:
        """Wait until a run has ended, and return it. Calls of the `tools` are answered meanwhile.

        Functions run one after the other. Each runs at most once for a call: after a ClientError, follow the
        run again, and outputs that may be lost are sent again. Other calls are left to others: approvals, and
        outputs of tools that are not given here; the observer sees them. Each request waits `wait_seconds`,
        25 at most. One that brings nothing new is followed by the next after `pause_seconds` at the earliest
        (PAUSE_SECONDS).
        """
        functions = tools if isinstance(tools, CallerFunctions) else CallerFunctions(tools)
        observer = observer or RunObserver()
        pause = PAUSE_SECONDS if pause_seconds is None else pause_seconds
        after = text_after = 0
        while True:
            requested_at = time.monotonic()
            page = self.list_events(run_id, after, wait_seconds, text_after)
            after, text_after = page.next, page.next_text or 0
            if page.text:
                observer.text_written(page.text)
            if page.events:
                observer.events_happened(page.events)
            run = self.get_run(run_id)  # a full log does not tell of each call that waits
            observer.run_updated(run)
            if page.ended and run.ended:
                forget_run(run_id)
                return run
            self.answer_calls(run, functions, observer)
            if not page.events and not page.text:
                time.sleep(max(0, requested_at + pause - time.monotonic()))

    def answer_calls(
        self, run: RunView, functions: CallerFunctions, observer: RunObserver | None = None
    ) -> list[OpenCallView]:
        """Answer the calls of these functions that the view of a run shows as open, and return the calls.

        An output that the API rejects with a 409 is reported to the observer.
        """
        observer = observer or RunObserver()
        calls = [call for call in run.open_calls if functions.can_answer(call)]
        for call in calls:
            observer.function_started(call)
            result = functions.answer(run.run_id, call)
            observer.function_ended(result)
            try:
                self.give_outputs(run.run_id, [result.output])
            except ApiError as error:
                if error.status != HTTPStatus.CONFLICT:
                    raise
                observer.output_rejected(result, error)
            if isinstance(result.exception, KeyboardInterrupt):
                raise result.exception
        return calls

    def start_run(self, request: RunRequest, key: str | None = None) -> str:
        """Start a run and return its id. However often the request is sent, it starts one run.

        The same request with the same `key` is the same run. Without a key, each call starts a run. An
        ApiError has the status 422 for another request with that key.
        """
        body = request.model_dump_json(exclude_none=True, exclude_unset=True)
        headers = {"Content-Type": "application/json", "Idempotency-Key": key or str(uuid.uuid4())}
        response = self._api.send("POST", "/runs", content=body, headers=headers)
        return self._api.parse(_RunAccepted, response).run_id

    def get_run(self, run_id: str, wait: int = 0) -> RunView:
        """A run, when it has ended or after `wait` seconds, 25 at most, with all parts of its message."""
        run = self._api.parse(RunView, self._api.send("GET", f"{_run_path(run_id)}?wait={wait}"))
        if run.message_url is None:
            return run
        parts = self._api.pages(MessagePage, f"{_run_path(run_id)}/message")
        message = "".join(part.text for part in parts)
        return run.model_copy(update={"message": message, "message_url": None})

    def list_events(
        self, run_id: str, after: int = 0, wait: int = 0, text_after: int | None = None
    ) -> RunEventList:
        """What happened to a run after that event, as soon as something has, or after `wait` seconds.

        With `text_after`, also what the model has written after that piece of text.
        """
        parameters = query(after=after, wait=wait, limit=MAX_EVENTS, text_after=text_after)
        return self._api.parse(
            RunEventList, self._api.send("GET", f"{_run_path(run_id)}/events?{parameters}")
        )

    def cancel_run(self, run_id: str) -> RunView:
        """Cancel a run. Not repeated: a repetition would fail because the run has ended."""
        return self._api.parse(RunView, self._api.send("POST", f"{_run_path(run_id)}/cancel", retry=False))

    def retry_run(self, run_id: str) -> RunView:
        """Retry a run. Not repeated: a repetition would fail because the run has not ended."""
        return self._api.parse(RunView, self._api.send("POST", f"{_run_path(run_id)}/retry", retry=False))

    def decide(
        self,
        run_id: str,
        call: str,
        decision: Literal["approve", "deny"],
        arguments_digest: str,
        reason: str = "",
    ) -> Decision:
        """Approve or deny a call that waits for an approval. Returns the decision that was recorded.

        `call` is the `id` of an open call, and `arguments_digest` that of the arguments that were looked at.
        The model reads the reason, at most 1000 characters, if the call is denied. An ApiError has the status
        404 if no such call waits, and 409 for other arguments or a call that was decided about otherwise.
        """
        request = _validated(
            DecisionRequest, decision=decision, arguments_digest=arguments_digest, reason=reason
        )
        if not re.fullmatch(r"[\w-]+", call, re.ASCII):
            raise ApiError(HTTPStatus.NOT_FOUND, f"there is no call {call!r}")
        path = f"{_run_path(run_id)}/calls/{call}/decision"
        return self._api.parse(Decision, self._api.send("POST", path, content=request.model_dump_json()))

    def give_outputs(self, run_id: str, outputs: Iterable[GivenOutput]) -> RunView:
        """Answer calls that wait for outputs, and return the run. The same outputs again change nothing.

        An output may take `max_output_bytes` of its call. An ApiError has the status 400 for a call that does
        not wait or an output that is too large, and 409 for a call that was answered otherwise.
        """
        request = _validated(ToolOutputsRequest, outputs=tuple(outputs))
        content = request.model_dump_json(exclude_none=True)
        path = f"{_run_path(run_id)}/tool_outputs"
        return self._api.parse(RunView, self._api.send("POST", path, content=content))

    def list_runs(self, status: Status | None, limit: int, owner: str | None = None) -> Iterator[RunSummary]:
        """At most `limit` runs, newest first, read page by page; with `owner`, only that caller's."""
        pages = self._api.pages_up_to(
            RunList, "/runs", limit, lambda page: len(page.runs), owner=owner, status=status
        )
        return (run for page in pages for run in page.runs)

    def list_calls(self, run_id: str) -> list[LedgerEntry]:
        """The whole ledger of a run, by round and position."""
        pages = self._api.pages(CallList, f"{_run_path(run_id)}/calls", limit=CALLS_PAGE_SIZE)
        calls = (entry for page in pages for entry in page.calls)
        return sorted(calls, key=lambda entry: (entry.round, entry.position))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._api.close()


def with_functions(request: RunRequest, functions: CallerFunctions) -> RunRequest:
    """The request, with these functions as tools besides those that it has."""
    if not functions.definitions:
        return request
    return request.model_copy(update={"tools": (*request.tools, *functions.definitions)})


def _to_request(request: RunRequest | str) -> RunRequest:
    return request if isinstance(request, RunRequest) else _validated(RunRequest, prompt=request)


def _validated(model: type[M], **fields: Any) -> M:
    """The model with these fields. Raises InvalidInput."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise InvalidInput(*field_errors(error)) from error


def _run_path(run_id: str) -> str:
    """The path of a run. Text that cannot be an id is rejected here: it could change the path."""
    if not re.fullmatch(r"\w+", run_id, re.ASCII):
        raise ApiError(HTTPStatus.NOT_FOUND, f"there is no run {run_id!r}")
    return f"/runs/{run_id}"
