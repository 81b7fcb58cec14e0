"""What callers see of a batch."""

from datetime import datetime, timedelta
from typing import Annotated, Self

from pydantic import Field

from upcall.domain.batch import Batch, BatchCounts
from upcall.domain.model import Model

MIN_LINES_FOR_ESTIMATE = 5

MAX_LIST_BYTES = 4_000_000
"""Of the records in a page of the list of batches, counted as JSON in JSON. The last one may exceed it."""


class BatchView(Batch):
    """A batch with how far it is: lines that wait, whose runs are under way, and that have ended.

    `estimated_end_at` takes the lines that wait to be like those that have ended.
    """

    waiting: int | None = None
    under_way: int = 0
    counts: BatchCounts
    estimated_end_at: datetime | None = None
    results_url: str | None = None
    fingerprint: Annotated[str, Field(exclude=True)] = ""

    @classmethod
    def of(cls, batch: Batch, counts: BatchCounts, under_way: int, now: datetime) -> Self:
        """The view of a batch."""
        waiting = None if batch.lines is None else max(batch.lines - counts.ended - under_way, 0)
        return cls.model_validate(
            {
                **batch.model_dump(),
                "waiting": waiting,
                "under_way": under_way,
                "counts": counts,
                "estimated_end_at": _estimated_end(batch, counts, now),
                "results_url": f"/batches/{batch.batch_id}/results" if batch.ended else None,
            }
        )


class BatchList(Model):
    """A page of the list of batches, newest first. `next_cursor` leads to the next page, if there is one."""

    batches: tuple[BatchView, ...]
    next_cursor: str | None = None


class ResultFile(Model):
    """An object with results of consecutive lines, and a URL to read it at.

    `first_line` and `lines` are those of the inputs; `failures_url` is a copy of those without a message.
    """

    url: str
    first_line: int
    lines: int
    bytes: int
    failures: int
    failures_url: str | None = None


class BatchResults(Model):
    """The results of a batch that has ended. The URLs are valid for an hour."""

    batch_id: str
    manifest_url: str
    files: tuple[ResultFile, ...]


def _estimated_end(batch: Batch, counts: BatchCounts, now: datetime) -> datetime | None:
    if batch.status != "in_progress" or not batch.lines or batch.started_at is None:
        return None
    if counts.ended < MIN_LINES_FOR_ESTIMATE:
        return None
    seconds = (now - batch.started_at).total_seconds()
    return now + timedelta(seconds=seconds * (batch.lines - counts.ended) / counts.ended)
