"""A run followed over the HTTP API: its status, and the calls of each round that is done."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby

from cli.backends.base import Outcome
from cli.backends.http_client import Api
from cli.execution_history import Progress, ToolCallProgress, Visit
from cli.terminal.live_view import View
from upcall.domain.tool_calls import LedgerEntry
from upcall.domain.views import RunView


def follow(api: Api, run_id: str, view: View, wait: int) -> Outcome:
    """Watch a run to its end. Each request waits for it for `wait` seconds; between them, rounds show."""
    since = datetime.now(UTC)  # of this machine's clock, by which the view counts
    view.show(Progress([Visit("queued", since)]))
    ledger: list[LedgerEntry] = []
    while True:
        run = api.run(run_id, wait)
        if run.ended or run.round > (ledger[-1].round if ledger else 0):
            # what is there of a round before the record counts it may be a part of it
            ledger = [entry for entry in api.calls(run_id) if run.ended or entry.round <= run.round]
        view.show(progress(run, ledger, since))
        if run.ended:
            return Outcome(run, ledger)


def progress(run: RunView, ledger: Sequence[LedgerEntry], since: datetime) -> Progress:
    """The rounds that the ledger tells, and the status of a run that goes on, watched `since` then."""
    rounds = groupby(ledger, key=lambda entry: entry.round)
    visits = [_round(number, list(entries), run.created_at) for number, entries in rounds]
    if not run.ended:
        visits.append(Visit(run.status, since))
    return Progress(visits, ended=run.ended)


def _round(number: int, entries: Sequence[LedgerEntry], created_at: datetime) -> Visit:
    """A round from its first call to the end of its last; calls that were refused took no time."""
    starts = [entry.output.started_at for entry in entries if entry.output.started_at]
    first = min(starts, default=created_at)
    calls = {entry.call.call_id: _call(entry, first) for entry in entries}
    until = max(call.until or first for call in calls.values())
    return Visit(f"Round {number}", first, until, calls=calls)


def _call(entry: LedgerEntry, otherwise: datetime) -> ToolCallProgress:
    since = entry.output.started_at or otherwise
    return ToolCallProgress(
        **entry.call.model_dump(),
        since=since,
        until=since + timedelta(milliseconds=entry.output.duration_ms),
        outcome=entry.output.outcome,
        output=entry.output.output,
    )
