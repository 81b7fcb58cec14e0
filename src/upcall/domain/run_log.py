"""What happened to a run, in the order in which it was written down.

The record of a run has a log. Each write that changes the record appends its entry, so no entry is lost,
doubled or out of order. The entry of a round stands for the end of each of its calls as well. Events are
numbered from 1 on; a number never changes.
"""

from collections.abc import Sequence
from datetime import datetime
from math import ceil
from typing import Literal, NamedTuple

from upcall.domain.failure import Failure
from upcall.domain.model import Model
from upcall.domain.open_calls import OpenCall, WaitsFor
from upcall.domain.output_text import error_message
from upcall.domain.tool_calls import LedgerEntry, Outcome, ToolCall, arguments_text
from upcall.domain.usage import Usage

EventType = Literal[
    "run.queued",
    "run.in_progress",
    "run.requires_action",
    "run.paused",
    "tool_call.waiting",
    "tool_call.answered",
    "tool_call.ended",
    "round.ended",
    "message.saved",
    "run.completed",
    "run.failed",
    "run.cancelled",
    "run.incomplete",
    "run.expired",
]

MAX_REQUESTED_CALLS = 600
MAX_LOG_BYTES = 85_000
"""So many requested calls are in the log one by one, and the rest as long as the log is no larger than this.
So the record with the longest prompt (296 KB) has room in an item of 400 KB. Later rounds have a number of
calls, and no events of their own for these."""

MAX_PAUSES = 30
"""So many pauses of a run are in the log."""

RATE_LIMIT = "The server's rate limit has no room."

MAX_REASON_CHARACTERS = 200

EXCERPT_CHARACTERS = 40
"""Of the values of a call's arguments."""

ERROR_CHARACTERS = 100


class RequestedCall(NamedTuple):
    """A call that the model asks for: its tool, the beginning of its arguments, and their size."""

    name: str
    excerpt: str
    arguments_bytes: int


class EndedCall(NamedTuple):
    """How a call ended, without its output. `error` is the beginning of an output that is an error."""

    name: str
    outcome: Outcome
    started_at: datetime | None
    duration_ms: int
    waited_seconds: int | None
    output_bytes: int
    error: str | None = None


class LogEntry(Model):
    """A change of a run's record. Fields that do not belong to its type are None."""

    type: EventType
    at: datetime
    attempt: int | None = None
    round: int | None = None
    requested: tuple[RequestedCall, ...] | None = None
    ended: tuple[EndedCall, ...] | None = None
    calls: int | None = None
    call: str | None = None
    name: str | None = None
    waits_for: WaitsFor | None = None
    until: datetime | None = None
    decision: Literal["approve", "deny"] | None = None
    decided_by: str | None = None
    usage: Usage | None = None
    characters: int | None = None
    failure: Failure | None = None
    reason: str | None = None
    seconds: int | None = None

    def to_json(self) -> str:
        """The entry as the record has it. DynamoDB takes no floats, and its own types are longer."""
        return self.model_dump_json(exclude_none=True, exclude_defaults=True)


Log = tuple[LogEntry, ...]


def queued(at: datetime, attempt: int) -> Log:
    """An attempt of a run was accepted."""
    return (LogEntry(type="run.queued", at=at, attempt=attempt),)


def in_progress(at: datetime) -> Log:
    """The run exists upstream, or its turn was requested again after it had failed there."""
    return (LogEntry(type="run.in_progress", at=at),)


def paused(at: datetime, reason: str, seconds: float) -> Log:
    """Before the next request to the server there is a pause: a request or a turn failed, or must wait."""
    reason = reason[:MAX_REASON_CHARACTERS]
    return (LogEntry(type="run.paused", at=at, reason=reason, seconds=ceil(seconds)),)


def requires_action(at: datetime, round_number: int, calls: Sequence[ToolCall], before: int) -> Log:
    """The model asks for calls; the run had so many `before`."""
    requested = tuple(
        RequestedCall(
            call.name, arguments_text(call.arguments)[:EXCERPT_CHARACTERS], len(call.arguments.encode())
        )
        for call in calls
    )
    detailed = before + len(calls) <= MAX_REQUESTED_CALLS
    return (
        LogEntry(
            type="run.requires_action",
            at=at,
            round=round_number,
            requested=requested if detailed else None,
            calls=len(calls),
        ),
    )


def waiting(call: OpenCall, log: Log) -> Log:
    """A call waits for an answer from outside."""
    entry = LogEntry(
        type="tool_call.waiting",
        at=call.since,
        call=call.id,
        name=call.call.name,
        waits_for=call.waits_for,
        until=call.until,
    )
    return (entry,) if _has_room(log, entry) else ()


def answered(call: OpenCall, log: Log) -> Log:
    """A call waits no longer."""
    if call.answer is None:
        return ()
    decision = call.answer.decision
    entry = LogEntry(
        type="tool_call.answered",
        at=call.answer.answered_at,
        call=call.id,
        name=call.call.name,
        decision=decision and decision.decision,
        decided_by=decision and decision.decided_by,
    )
    return (entry,) if _has_room(log, entry) else ()


def round_ended(at: datetime, entries: Sequence[LedgerEntry], log: Log, number: int, usage: Usage) -> Log:
    """The outputs of a round were submitted, and the model works on."""
    ended = tuple(
        EndedCall(
            entry.call.name,
            entry.output.outcome,
            entry.output.started_at,
            entry.output.duration_ms,
            entry.output.waited_seconds,
            len(entry.output.output.encode()),
            None if entry.output.outcome == "ok" else error_message(entry.output.output)[:ERROR_CHARACTERS],
        )
        for entry in entries
    )
    end = LogEntry(type="round.ended", at=at, round=number, ended=ended, calls=len(entries), usage=usage)
    if not _has_room(log, end):
        end = end.model_copy(update={"ended": None})
    return (end, *in_progress(at))


def ended(at: datetime, status: str, usage: Usage, characters: int, failure: Failure | None) -> Log:
    """The run has ended, with a message or a part of one if it has characters."""
    message = [LogEntry(type="message.saved", at=at, characters=characters)] if characters else []
    end = LogEntry.model_validate({"type": f"run.{status}", "at": at, "usage": usage, "failure": failure})
    return (*message, end)


def _has_room(log: Log, entry: LogEntry) -> bool:
    return sum(len(each.to_json()) for each in (*log, entry)) <= MAX_LOG_BYTES
