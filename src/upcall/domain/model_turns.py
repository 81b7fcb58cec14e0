"""The turns of the model in a run: from its log, or from the ledger if its release wrote none."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from upcall.domain.model import Model
from upcall.domain.open_calls import OpenCall
from upcall.domain.run import Run
from upcall.domain.run_log import LogEntry
from upcall.domain.status import TERMINAL_STATUSES
from upcall.domain.tool_calls import LedgerEntry
from upcall.domain.usage import NO_USAGE, Usage


class ModelTurn(Model):
    """The time in which the model works, from a request to its answer.

    A turn that asks for tool calls has the number of their round; the last one, which does not, is `last`.
    `usage` is None if nobody knows what the turn used.
    """

    number: int
    start: datetime
    end: datetime
    usage: Usage | None = None
    last: bool = False


class Attempt(Model):
    """The attempt of a run that has ended last: when it began, the first of its rounds, and its turns."""

    start: datetime
    first_round: int = 1
    turns: tuple[ModelTurn, ...] = ()


def last_attempt(
    run: Run,
    ledger: Sequence[LedgerEntry],
    open_calls: Sequence[OpenCall],
) -> Attempt:
    """The last attempt of a run that has ended."""
    if run.log:
        return _attempt_of_log(run, run.log)
    return Attempt(start=run.created_at, turns=tuple(_turns_of_ledger(run, ledger, open_calls)))


def call_times(entry: LedgerEntry) -> tuple[datetime, datetime] | None:
    """When the function of a call ran; None if it did not."""
    start = entry.output.started_at
    return (start, start + timedelta(milliseconds=entry.output.duration_ms)) if start else None


def _attempt_of_log(run: Run, events: Sequence[LogEntry]) -> Attempt:
    begin = max((n for n, event in enumerate(events) if event.type == "run.queued"), default=0)
    ends = [event.usage for event in events[:begin] if _is_end(event) and event.usage]
    events = events[begin:]
    used = {event.round: event.usage for event in events if event.type == "round.ended"}
    counted = sum((usage for usage in used.values() if usage), ends[-1] if ends else NO_USAGE)
    turns: list[ModelTurn] = []
    start: datetime | None = None
    for event in events:
        if event.type in ("run.in_progress", "round.ended"):
            start = start or event.at
        elif event.type == "run.requires_action" and start and event.round:
            usage = used.get(event.round)
            turns.append(ModelTurn(number=event.round, start=start, end=event.at, usage=usage))
            start = None
        elif start and _is_end(event):
            usage = _difference(run.usage, counted)
            turns.append(ModelTurn(number=run.round + 1, start=start, end=event.at, usage=usage, last=True))
            start = None
    rounds = [event.round for event in events if event.round]
    return Attempt(start=events[0].at, first_round=min(rounds, default=run.round + 1), turns=tuple(turns))


def _is_end(event: LogEntry) -> bool:
    return event.type.removeprefix("run.") in TERMINAL_STATUSES


def _turns_of_ledger(
    run: Run, ledger: Sequence[LedgerEntry], open_calls: Sequence[OpenCall]
) -> Iterable[ModelTurn]:
    """A turn lies between the last call of a round and the first one of the next."""
    start = run.created_at
    for number, entries in groupby(ledger, key=lambda entry: entry.round):
        times = [times for entry in entries if (times := call_times(entry))]
        waits = [call for call in open_calls if call.round == number]
        asked = min([*(begun for begun, _ in times), *(call.since for call in waits)], default=start)
        answered = [call.answer.answered_at for call in waits if call.answer]
        yield ModelTurn(number=number, start=start, end=max(start, asked))
        start = max([asked, *(ended for _, ended in times), *answered])
    if run.upstream_run is not None and run.ended_at is not None:
        unanswered = [call.since for call in open_calls if call.round > run.round]
        end = min([run.ended_at, *unanswered])
        usage = None if run.round else run.usage
        yield ModelTurn(
            number=run.round + 1, start=start, end=max(start, end), usage=usage, last=not unanswered
        )


def _difference(total: Usage, part: Usage) -> Usage:
    """What of the total the part does not account for. Dollars are unknown if one of the two is."""
    fields = {
        name: max(getattr(total, name) - getattr(part, name), 0)
        for name in Usage.model_fields
        if name != "usd"
    }
    known = total.usd is not None and (part.is_empty or part.usd is not None)
    return Usage(**fields, usd=round(max((total.usd or 0) - (part.usd or 0), 0), 9) if known else None)
