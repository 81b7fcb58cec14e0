"""The lists of runs, newest first: of all, or of one owner's alone.

The indexes have a partition per status and day, one of them per owner too, so that no partition takes
every write, and sort by run id, which sorts by time. Only records have their keys: they are sparse.
"""

import heapq
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import groupby

from upcall.models import END_STATUSES, OPEN_STATUSES, Status
from upcall.run import Run, RunList, RunSummary
from upcall.table import Table

LIST_LIMIT = 100
"""Runs, or calls, that one part of a list holds at most."""

MAX_QUERIES = 93
"""For one part of a list of runs: a month of one status, ten days of all."""

AFTER_ALL = "run_~"
"""Sorts after the id of every run."""


class RunIndex:
    """The lists of runs of a table."""

    def __init__(self, table: Table, retention: timedelta) -> None:
        self._table = table
        self._retention = retention

    def recent(self, status: Status | None = None, owner: str | None = None) -> Iterator[RunSummary]:
        """Runs, newest first, as far back as the table keeps them."""
        cursor = None
        while True:
            part = self.listed(status, LIST_LIMIT, cursor, owner)
            yield from part.runs
            if (cursor := part.next_cursor) is None:
                return

    def listed(
        self, status: Status | None, limit: int, before: str | None = None, owner: str | None = None
    ) -> RunList:
        """A part of the list, newest first: those older than `before`, and where the next begins.

        With an owner, of its runs alone. A part may hold fewer than `limit` although more follow: no more
        than MAX_QUERIES are made for it.
        """
        statuses = [status] if status else [*OPEN_STATUSES, *END_STATUSES]
        today = datetime.now(UTC).date()
        first = min(_day_of(before), today) if before else today
        oldest = today - self._retention
        found: list[RunSummary] = []
        for age in range(MAX_QUERIES // len(statuses)):
            day = first - timedelta(days=age)
            if day < oldest:
                return RunList(runs=tuple(found))
            lists = [self._listed(each, day, before, owner) for each in statuses]
            merged = heapq.merge(*lists, key=lambda run: run.run_id, reverse=True)
            for _, seen in groupby(merged, key=lambda run: run.run_id):
                *_, run = seen  # one that moved on meanwhile is in several lists, the last is where it went
                found.append(run)
                if len(found) == limit:
                    return RunList(runs=tuple(found), next_cursor=run.run_id)
        return RunList(runs=tuple(found), next_cursor=_before_day(day))

    def _listed(
        self, status: Status, day: date, before: str | None, owner: str | None
    ) -> Iterator[RunSummary]:
        place = f"{status}#{day.isoformat()}"
        if owner is None:
            index, partition = "runs_by_status", ("status_day", place)
        else:
            index, partition = "runs_by_owner", ("owner_status_day", f"{owner}#{place}")
        items = self._table.indexed(index, partition, ("run_id", before or AFTER_ALL))
        return (RunSummary.read(item) for item in items)


def index_keys(run: Run, status: Status) -> dict[str, str]:
    """The attributes by which a record of that status is found in the indexes."""
    status_day = f"{status}#{run.created_at.date().isoformat()}"
    return {"status_day": status_day, "owner_status_day": f"{run.owner}#{status_day}"}


def _day_of(run_id: str) -> date:
    """The day on which a run of that id was created."""
    return datetime.fromtimestamp(int(run_id[4:16], 16) / 1000, UTC).date()


def _before_day(day: date) -> str:
    """What sorts before the ids of a day and after those of all days before it."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return f"run_{int(start.timestamp() * 1000):012x}"
