"""What use cases talk to. `aws` and `lambda_runtime` implement these; tests use in-memory fakes."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, BinaryIO, Protocol

from upcall.domain.batch import (
    Batch,
    BatchCounts,
    BatchEndedEvent,
    BatchLine,
    BatchPage,
    BatchStatus,
    LineEnd,
)
from upcall.domain.events import RunEvent
from upcall.domain.execution import Execution
from upcall.domain.failure import Failure
from upcall.domain.idempotency_claim import IdempotencyClaim
from upcall.domain.long_poll import Place
from upcall.domain.message_text import StoredPiece
from upcall.domain.open_calls import CallAnswer, OpenCall
from upcall.domain.quota import NO_QUOTA, Quota
from upcall.domain.rate_limit import RateLimit
from upcall.domain.run import Run, Updates
from upcall.domain.status import Status
from upcall.domain.stop import Controls
from upcall.domain.tool_calls import LedgerEntry, ToolCall, ToolDefinition
from upcall.domain.upstream_run import Message, RunApiName, UpstreamRun
from upcall.domain.usage import NO_USAGE, Usage
from upcall.domain.views import CallList, RunList
from upcall.domain.waiting_task import WaitingTask
from upcall.run_apis.base import RunApi

GetRunApi = Callable[[RunApiName], RunApi]


class Clock(Protocol):
    """The time of day, and time that passes."""

    def now(self) -> datetime:
        """The time of day, in UTC."""

    def monotonic(self) -> float:
        """Seconds since some moment; only differences mean something."""

    def sleep(self, seconds: float, /) -> None:
        """Wait for so many seconds."""


class RunRepository(Protocol):
    """Runs, their ledgers and their messages.

    A terminal status is written once: every method that changes a run raises RunAlreadyEnded if the run has
    ended or has moved on to another attempt or round than the one passed in.
    """

    def claim_idempotency_key(self, key: str, run: Run, fingerprint: str) -> IdempotencyClaim:
        """Claim a key of the run's owner for this run. Returns the claim that holds."""

    def get_controls(self, owner: str, batch_id: str | None = None) -> Controls:
        """What an operator has set for the runs of a caller, or for those in a batch of it."""

    def add_run(self, run: Run, quota: Quota = NO_QUOTA) -> Run:
        """Write the record of a new run, and count it if its caller has a quota.

        Returns the record that exists already, if there is one; it is not counted again. Raises
        QuotaExceeded, and TransientError if too many runs of the caller start at once.
        """

    def get_run(self, run_id: str) -> Run:
        """The record of a run. Raises NotFound."""

    def record_intent(self, run: Run, intent: UpstreamRun) -> None:
        """Write down what a run is about to be created with upstream."""

    def record_creation(
        self, run: Run, upstream_run: UpstreamRun, updates: Updates, usage: Usage = NO_USAGE
    ) -> None:
        """Write down where the run lives upstream, and how it learns of changes there.

        `usage` are the tokens of a turn before that failed.
        """

    def add_waiting_task(self, webhook_id: str, task: WaitingTask) -> None:
        """Let a task wait for webhooks that name this id. It replaces a task that waits for them already."""

    def get_waiting_task(self, webhook_id: str) -> WaitingTask | None:
        """The task that waits for webhooks that name this id, if there is one."""

    def has_webhook(self, message_id: str) -> bool:
        """Whether this message of a webhook was taken up."""

    def record_webhook(self, message_id: str, now: datetime) -> None:
        """Write down that a message was taken up. It is kept for as long as OpenAI may send it again."""

    def record_pause(self, run_id: str, reason: str, seconds: float) -> None:
        """Write down in a run's log that the next request to its server waits, MAX_PAUSES times at most."""

    def record_requested_calls(
        self, run_id: str, round_number: int, calls: Sequence[ToolCall], calls_before: int
    ) -> None:
        """Write down in the log of a run that the model asks for these calls, once. The status stays.

        `calls_before` is the number of calls of earlier rounds.
        """

    def record_round(
        self, run: Run, upstream_run: UpstreamRun, answers: Sequence[LedgerEntry], usage: Usage
    ) -> None:
        """Add the calls of the round after `run.round` to the ledger, and count the round in the record."""

    def open_call(self, run: Run, call: OpenCall) -> OpenCall:
        """Let a call of the run wait for an answer. The record shows it, with the status `requires_action`.

        A call that waits already, or has its answer, is returned; one that waits gets the new task token.
        """

    def list_open_calls(self, run: Run) -> list[OpenCall]:
        """The calls of this attempt that wait or have waited, by round and position."""

    def get_open_call(self, run: Run, call_id: str) -> OpenCall | None:
        """The call of this attempt with that id, if it waits or has waited."""

    def mark_call_published(self, run: Run, call: OpenCall) -> None:
        """Write down that it was made known that the call waits."""

    def answer_call(self, run: Run, call: OpenCall, answer: CallAnswer) -> OpenCall:
        """Answer a call that waits, once. Returns it with the answer that holds and its newest task token."""

    def close_call(self, run: Run, call: OpenCall) -> None:
        """Show a call no more in the record: the workflow has its answer.

        Without calls that wait the run has the status `in_progress`. A run that has ended or moved on stays
        as it is.
        """

    def complete_run(self, run: Run, message: Message, ended_at: datetime) -> Run:
        """Write the final message and end the run with it."""

    def record_failure(
        self, run: Run, failure: Failure, usage: Usage, ended_at: datetime, partial_text: str = ""
    ) -> Run:
        """End the run without a complete message, with the part of it that there is."""

    def mark_event_published(self, run: Run) -> None:
        """Write down that the run's final event was published outside of the workflow."""

    def settle_run(self, run: Run) -> Run:
        """Count what an ended run has used, once for each attempt. Raises TransientError."""

    def reopen_run(
        self,
        run: Run,
        previous_upstream_run: UpstreamRun | None,
        quota: Quota = NO_QUOTA,
        now: datetime | None = None,
    ) -> Run:
        """Queue an ended run, which was settled, for another attempt; its ledger stays. It counts as a start.

        Raises RunNotRetryable if it moved on, and QuotaExceeded.
        """

    def get_message(self, run: Run) -> str | None:
        """The message of a completed run, or the part that an incomplete one has; None for other runs."""

    def get_message_part(self, run: Run, number: int) -> str | None:
        """A part of that message, counted from 0; None if it has no such part. All parts together are it."""

    def get_last_piece(self, run_id: str) -> StoredPiece | None:
        """The newest piece of text that was recorded while the model wrote it."""

    def add_piece(self, run_id: str, piece: StoredPiece) -> bool:
        """Record a piece of text, unless there is one with its number. Returns whether it was recorded."""

    def list_pieces(self, run_id: str, after: int, limit: int) -> list[StoredPiece]:
        """At most `limit` pieces with higher numbers, in order."""

    def get_ledger(self, run_id: str) -> list[LedgerEntry]:
        """The answered tool calls of a run, round by round."""

    def list_calls(self, run_id: str, limit: int, cursor: str | None = None) -> CallList:
        """A page of the ledger."""

    def list_runs(
        self, *, owner: str | None, status: Status | None, limit: int, cursor: str | None = None
    ) -> RunList:
        """A page of the list of runs, newest first: of one owner, or of all."""

    def list_open_runs(self, created_before: datetime) -> Iterator[str]:
        """The ids of runs without a terminal status that were created before that time."""


class BatchRepository(Protocol):
    """Batches, their lines and their counts.

    A terminal status is written once: what changes a batch leaves one that has ended as it is, and returns
    it as it is then.
    """

    def add_batch(self, batch: Batch) -> Batch:
        """Write the record of a new batch. Returns the record that exists already, if there is one."""

    def get_batch(self, batch_id: str) -> Batch:
        """The record of a batch. Raises NotFound."""

    def list_batches(self, *, owner: str | None, limit: int, cursor: str | None = None) -> BatchPage:
        """A page of the batches of one owner, or of all, newest first. Raises TransientError.

        A page ends early if its records take more than MAX_LIST_BYTES.
        """

    def list_open_batches(self, created_before: datetime) -> Iterator[str]:
        """The ids of batches that were created before then and have not ended, oldest first.

        A list may be behind: a batch of it may have ended.
        """

    def record_lines(self, batch: Batch, lines: int, started_at: datetime) -> Batch:
        """Write down how many lines a batch has. From now on it is in progress."""

    def stop_batch(self, batch: Batch, failure: Failure) -> Batch:
        """Write down why no further line is started. The first reason holds."""

    def cancel_batch(self, batch: Batch, failure: Failure) -> Batch:
        """Let a batch be cancelling, with another execution that completes this."""

    def restart_batch(self, batch: Batch) -> Batch:
        """Give a batch whose execution is lost another one. Of several restarts at once, one counts."""

    def begin_results(self, batch: Batch) -> Batch:
        """Let a batch be finalizing; one that is cancelling stays so."""

    def end_batch(self, batch: Batch, status: BatchStatus, parts: int, ended_at: datetime) -> Batch:
        """End a batch whose results are in so many objects."""

    def claim_line(self, batch: Batch, line: BatchLine) -> BatchLine:
        """Write down that the run of a line is started. Returns the line as it is already, if it is known.

        A line that has not ended gets the new task token, if there is one and if the line has none of a later
        attempt of the batch. A line without a run is claimed so that no run is started for it.
        """

    def end_line(self, batch_id: str, number: int, end: LineEnd, created_at: datetime) -> BatchLine:
        """Write down how a line ended, and count it, once. Returns it with its newest task token.

        `created_at` is the time of its batch or its run. Raises NotFound for a line that was not claimed.
        """

    def get_counts(self, batch_id: str) -> BatchCounts:
        """What the lines that have ended come to."""

    def list_lines(self, batch_id: str, first: int, last: int) -> Iterator[BatchLine]:
        """The lines that were started, from one number to another, in order."""

    def list_open_lines(self, batch_id: str) -> Iterator[BatchLine]:
        """The lines that were started and have not ended: number and run. It may be a moment behind."""


class BatchFiles(Protocol):
    """The bucket for batches."""

    def open_file(self, key: str, offset: int = 0) -> BinaryIO:
        """The content of an object from an offset on, to be read once. Raises NotFound."""

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        """So many bytes of an object, or as many as there are. Raises NotFound."""

    def write_file(self, key: str, content: bytes, content_type: str) -> None:
        """Write an object; it replaces an existing one."""

    def create_file(self, key: str) -> AbstractContextManager[BinaryIO]:
        """An object to be written piece by piece. It exists once the context has ended."""

    def presign_url(self, key: str, seconds: int) -> str:
        """A URL that anybody can read an object at for so many seconds."""


class BatchWorkflow(Protocol):
    """The Step Functions workflow of batches. A batch's executions have its id in their names."""

    def start_batch_execution(self, batch: Batch) -> bool:
        """Start the workflow on this attempt of a batch. Returns whether it is running.

        Otherwise it has been started before, and has ended.
        """

    def stop_batch_execution(self, execution_name: str) -> None:
        """Stop the execution of that name, if it is running."""

    def describe_batch_execution(self, batch: Batch) -> Execution | None:
        """The execution of this attempt of a batch; None if there is none."""


class WaitingRequests(Protocol):
    """The requests that wait for a change of a run. Each caller has so many `places`."""

    @property
    def places(self) -> int:
        """How many requests of a caller may wait at once."""

    def take_place(self, owner: str, now: datetime, until: datetime) -> Place | None:
        """Take a place of a caller until some time; None if there is none."""

    def leave_place(self, owner: str, place: Place) -> None:
        """Give a place back."""


class RateLimitRepository(Protocol):
    """What is known of the rate limits of the server's models.

    Every method raises UpcallError if that cannot be read or written now.
    """

    def get(self, model: str, *, consistent: bool = False) -> RateLimit | None:
        """The rate limit of a model, if one is known; a moment old, unless it is `consistent`."""

    def begin(self, model: str, begin: RateLimit, replaced: RateLimit | None) -> RateLimit | None:
        """Write a new generation in place of the one that is known. Returns the one that holds."""

    def take_ticket(self, model: str, known: RateLimit, unused_before: int) -> RateLimit | None:
        """Take the next ticket, which is higher than `unused_before`, if this generation holds still.

        Returns the rate limit with that ticket as the number of tickets.
        """

    def update(self, model: str, changed: RateLimit, version: int) -> bool:
        """Write what is known now, except tickets, in place of that version. Returns whether it could."""


class Workflow(Protocol):
    """The Step Functions workflow. A run's executions have its id in their names."""

    def start_execution(self, run: Run) -> None:
        """Start the workflow on this attempt of a run, unless that was done before."""

    def stop_execution(self, run: Run, error: str, cause: str) -> bool:
        """Stop the workflow on this attempt of a run. Returns whether there is an execution."""

    def describe_execution(self, run: Run) -> Execution | None:
        """The execution of this attempt of a run; None if there is none."""


class WaitingTasks(Protocol):
    """The tasks of executions that wait for somebody to complete them."""

    def complete_task(self, task_token: str, output: Mapping[str, Any]) -> bool:
        """Complete a task with its output. Returns False if it waits no longer. Raises TransientError."""


class EventPublisher(Protocol):
    """The event bus."""

    def publish(self, event: RunEvent | BatchEndedEvent) -> None:
        """Put an event of a run or a batch on the bus. Raises TransientError."""


class EndedExecutionQueue(Protocol):
    """The queue that `close_run` works off."""

    def enqueue_ended_execution(self, execution: Execution) -> None:
        """Have the run of this execution closed."""


class Tools(Protocol):
    """The tools of the deployment."""

    def allowed(self, names: Iterable[str], *, may_read_stack_data: bool) -> tuple[str, ...]:
        """Those of the named tools that a run may use."""

    def definitions(self, names: Iterable[str]) -> list[ToolDefinition]:
        """The named tools as the model sees them."""


class SpanSender(Protocol):
    """Sends a trace to the operator's OpenTelemetry endpoint."""

    def __call__(self, request: Mapping[str, Any], /) -> int:
        """Send a request with spans. Returns how many of them were rejected, and are not to be sent again.

        Raises TransientError if the request may be sent again, RequestRejected if not.
        """


class WebhookSender(Protocol):
    """Posts signed messages."""

    def __call__(self, url: str, message_id: str, content: dict[str, Any], /) -> None:
        """Post a message. Raises ToolError if it was not accepted, OutcomeUnknown if nobody can tell."""
