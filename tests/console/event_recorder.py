"""The events of runs, made from their records, ledgers and open calls whenever somebody asks for them."""

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.open_calls import OpenCall
from upcall.domain.run import Run
from upcall.domain.tool_calls import LedgerEntry

Event = dict[str, Any]


class EventRecorder:
    """Numbers what is new in a run each time that it is asked, so that an event keeps its number."""

    def __init__(self, repository: DynamoDBRunRepository) -> None:
        self._repository = repository
        self._lock = threading.Lock()
        self._events: defaultdict[str, dict[tuple[Any, ...], Event]] = defaultdict(dict)

    def events(self, run_id: str) -> tuple[list[Event], bool]:
        """All events of a run so far, and whether it has ended. Raises NotFound."""
        with self._lock:
            run = self._repository.get_run(run_id)
            known = self._events[run_id]
            for key, at, event in _derive(
                run, self._repository.get_ledger(run_id), self._repository.list_open_calls(run)
            ):
                if key in known:
                    continue
                last = datetime.fromisoformat(next(reversed(known.values()))["at"]) if known else at
                latest = max(at or datetime.now(UTC), last or run.created_at)
                known[key] = {"number": len(known) + 1, "at": latest.isoformat(), **event}
            return list(known.values()), run.ended


def _derive(
    run: Run, ledger: Sequence[LedgerEntry], open_calls: Sequence[OpenCall]
) -> Iterator[tuple[tuple[Any, ...], datetime | None, Event]]:
    """Each event with a key of its own, and its time if the record tells."""
    attempt = run.attempt
    started = run.created_at if attempt == 1 else None
    yield ("queued", attempt), started, {"type": "run.queued", "attempt": attempt}
    if run.upstream_run is not None:
        created = started and started + timedelta(milliseconds=60)
        yield ("in_progress", attempt), created, {"type": "run.in_progress"}
    ended = {number: list(entries) for number, entries in groupby(ledger, lambda entry: entry.round)}
    waiting = {number: list(calls) for number, calls in groupby(open_calls, lambda call: call.round)}
    for number in sorted({*ended, *waiting}):
        yield from _round(number, ended.get(number, []), waiting.get(number, []))
    if not run.ended:
        return
    if run.status == "completed":
        yield ("message", attempt), run.ended_at, {"type": "message.saved", "characters": 1}
    failure = run.failure and run.failure.model_dump()
    end = {"type": f"run.{run.status}", "failure": failure, "usage": run.usage.model_dump()}
    yield ("ended", attempt), run.ended_at, end


def _round(
    number: int, entries: Sequence[LedgerEntry], waiting: Sequence[OpenCall]
) -> Iterator[tuple[tuple[Any, ...], datetime | None, Event]]:
    starts = [at for entry in entries if (at := entry.output.started_at)]
    ends = [
        at + timedelta(milliseconds=entry.output.duration_ms)
        for entry in entries
        if (at := entry.output.started_at)
    ] + [call.answer.answered_at for call in waiting if call.answer]
    asked = {call.position: call.call for call in waiting} | {entry.position: entry.call for entry in entries}
    calls = [
        {"call": f"{number}-{position}", "name": call.name, "arguments_bytes": len(call.arguments)}
        for position, call in sorted(asked.items())
    ]
    start = min([*starts, *(call.since for call in waiting)], default=None)
    requested = {"type": "run.requires_action", "round": number, "calls": calls}
    yield ("requires_action", number), start and start - timedelta(milliseconds=20), requested
    for call in waiting:
        yield from _waiting_call(call)
    if not entries:
        return
    end = max(ends, default=None)
    for entry in entries:
        output = entry.output
        ended = {
            "type": "tool_call.ended",
            "call": entry.id,
            "name": entry.call.name,
            "round": number,
            "outcome": output.outcome,
            "started_at": output.started_at and output.started_at.isoformat(),
            "duration_ms": output.duration_ms,
            "waited_seconds": output.waited_seconds,
            "output_bytes": len(output.output.encode()),
        }
        yield ("call ended", entry.id), end, ended
    end = end and end + timedelta(milliseconds=30)
    yield ("round", number), end, {"type": "round.ended", "round": number, "usage": {"total_tokens": 0}}
    yield ("in_progress after", number), end, {"type": "run.in_progress"}


def _waiting_call(call: OpenCall) -> Iterator[tuple[tuple[Any, ...], datetime | None, Event]]:
    shared = {"call": call.id, "name": call.call.name}
    waits = {"waits_for": call.waits_for, "until": call.until.isoformat()}
    yield ("waits", call.id), call.since, {"type": "tool_call.waiting", **shared, **waits}
    if call.answer is not None:
        decision = call.answer.decision
        answer = {
            "decision": decision and decision.decision,
            "decided_by": decision and decision.decided_by,
        }
        yield (
            ("answered", call.id),
            call.answer.answered_at,
            {"type": "tool_call.answered", **shared, **answer},
        )
