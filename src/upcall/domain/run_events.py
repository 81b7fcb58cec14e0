"""The events of a run, as its caller sees them: the entries of its log, numbered from 1 on."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal, Self

from upcall.domain.failure import Failure
from upcall.domain.message_text import TextPiece
from upcall.domain.model import Model
from upcall.domain.open_calls import WaitsFor
from upcall.domain.run import Run
from upcall.domain.run_log import EndedCall, EventType, LogEntry
from upcall.domain.tool_calls import Outcome
from upcall.domain.usage import Usage

MAX_EVENTS = 1000
"""In one response."""

MAX_TEXT_PIECES = 1000
MAX_TEXT_CHARACTERS = 250_000
"""Of the text in one response."""


class RequestedCallView(Model):
    """A call that the model asks for. `call` identifies it in its run: `<round>-<position>`."""

    call: str
    name: str
    excerpt: str
    arguments_bytes: int


class RunEvent(Model):
    """Something that happened to a run. Fields that do not belong to its type are left out.

    `number` says in which order events were written down, `at` when they happened. The events of a round's
    calls are written down when the round ends.
    """

    number: int
    type: EventType | str
    at: datetime
    attempt: int | None = None
    round: int | None = None
    calls: tuple[RequestedCallView, ...] | int | None = None
    call: str | None = None
    name: str | None = None
    waits_for: WaitsFor | None = None
    until: datetime | None = None
    decision: Literal["approve", "deny"] | None = None
    decided_by: str | None = None
    outcome: Outcome | None = None
    started_at: datetime | None = None
    duration_ms: int | None = None
    waited_seconds: int | None = None
    output_bytes: int | None = None
    error: str | None = None
    usage: Usage | None = None
    characters: int | None = None
    failure: Failure | None = None
    reason: str | None = None
    seconds: int | None = None


class RunEventList(Model):
    """Events of a run. `next` is the number after which to go on; nothing follows if the run has `ended`.

    A run that has ended may be retried, and goes on. If the request asks for it, `text` has pieces of what
    the model writes, and `next_text` is the number after which these go on.
    """

    events: tuple[RunEvent, ...]
    next: int
    ended: bool
    text: tuple[TextPiece, ...] | None = None
    next_text: int | None = None

    @classmethod
    def of(cls, run: Run, after: int, limit: int) -> Self:
        """At most `limit` events with numbers higher than `after`."""
        found = tuple(event for _, event in zip(range(limit), _events_after(run, after), strict=False))
        last = found[-1].number if found else after
        return cls(events=found, next=last, ended=run.ended and last >= count_events(run))

    def with_text(self, pieces: Sequence[TextPiece], after: int) -> Self:
        """The same with pieces of the text after the one with that number, as many as a response may have."""
        text: list[TextPiece] = []
        size = 0
        for piece in pieces:
            size += len(piece.text)
            if text and (size > MAX_TEXT_CHARACTERS or len(text) == MAX_TEXT_PIECES):
                return self.model_copy(
                    update={"text": tuple(text), "next_text": text[-1].number, "ended": False}
                )
            text.append(TextPiece(**piece.model_dump(include=set(TextPiece.model_fields))))
        last = text[-1].number if text else after
        return self.model_copy(update={"text": tuple(text), "next_text": last})


def list_all_events(run: Run) -> tuple[RunEvent, ...]:
    """All events of a run."""
    return tuple(_events_after(run, 0))


def count_events(run: Run) -> int:
    """How many events a run has."""
    return sum(len(entry.ended or ()) + 1 for entry in run.log)


def _events_after(run: Run, after: int) -> Iterator[RunEvent]:
    number = 0
    for entry in run.log:
        number += len(entry.ended or ()) + 1
        if number > after:
            yield from (event for event in _events_of(entry, number) if event.number > after)


def _events_of(entry: LogEntry, number: int) -> Iterator[RunEvent]:
    """The events of an entry whose last one has that number."""
    calls = sorted(enumerate(entry.ended or (), start=1), key=lambda each: _end_of(each[1], entry.at))
    for before, (position, call) in zip(range(len(calls), 0, -1), calls, strict=True):
        yield RunEvent(
            number=number - before,
            type="tool_call.ended",
            at=_end_of(call, entry.at),
            round=entry.round,
            call=f"{entry.round}-{position}",
            **call._asdict(),
        )
    fields = entry.model_dump(exclude={"requested", "ended"})
    if entry.requested is not None:
        fields["calls"] = tuple(
            RequestedCallView(call=f"{entry.round}-{position}", **call._asdict())
            for position, call in enumerate(entry.requested, start=1)
        )
    yield RunEvent(number=number, **fields)


def _end_of(call: EndedCall, otherwise: datetime) -> datetime:
    """When a call ended. The time of one that its caller answered is not known."""
    if call.started_at is None:
        return otherwise
    return call.started_at + timedelta(milliseconds=call.duration_ms)
