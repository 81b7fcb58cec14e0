"""A batch repository without DynamoDB."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from upcall.domain.batch import (
    Batch,
    BatchCounts,
    BatchLine,
    BatchPage,
    BatchStatus,
    LineEnd,
    no_such_batch,
)
from upcall.domain.batch_view import MAX_LIST_BYTES
from upcall.domain.errors import NotFound
from upcall.domain.failure import Failure
from upcall.domain.json_size import json_bytes
from upcall.domain.usage import Usage


class InMemoryBatchRepository:
    """Implements BatchRepository. Passes the same contract suite as DynamoDBBatchRepository.

    `hidden_lines` are numbers of lines that the index of open lines does not show yet.
    """

    def __init__(self) -> None:
        self._batches: dict[str, Batch] = {}
        self._lines: dict[tuple[str, int], BatchLine] = {}
        self._attempts: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._lock = threading.RLock()
        self.hidden_lines: set[int] = set()

    def add_batch(self, batch: Batch) -> Batch:
        """See BatchRepository."""
        return self._batches.setdefault(batch.batch_id, batch)

    def get_batch(self, batch_id: str) -> Batch:
        """See BatchRepository."""
        if batch_id not in self._batches:
            raise no_such_batch(batch_id)
        return self._batches[batch_id]

    def list_batches(self, *, owner: str | None, limit: int, cursor: str | None = None) -> BatchPage:
        """See BatchRepository."""
        newest_first = sorted(self._batches.values(), key=lambda batch: batch.list_key, reverse=True)
        listed = [
            batch
            for batch in newest_first
            if owner in (None, batch.owner) and (cursor is None or batch.list_key < cursor)
        ]
        page: list[Batch] = []
        size = 0
        for batch in listed[:limit]:
            page.append(batch)
            size += json_bytes(batch.model_dump_json())
            if size > MAX_LIST_BYTES:
                break
        more = len(page) < len(listed)
        return BatchPage(
            batches=tuple((batch, self.get_counts(batch.batch_id)) for batch in page),
            next_cursor=page[-1].list_key if more else None,
        )

    def list_open_batches(self, created_before: datetime) -> Iterator[str]:
        """See BatchRepository."""
        batches = sorted(self._batches.values(), key=lambda batch: batch.list_key)
        return (batch.batch_id for batch in batches if not batch.ended and batch.created_at < created_before)

    def record_lines(self, batch: Batch, lines: int, started_at: datetime) -> Batch:
        """See BatchRepository."""
        if self._batches[batch.batch_id].status != "validating":
            return self.get_batch(batch.batch_id)
        return self._update(batch, lines=lines, started_at=started_at, status="in_progress")

    def stop_batch(self, batch: Batch, failure: Failure) -> Batch:
        """See BatchRepository."""
        if self._batches[batch.batch_id].failure is not None:
            return self.get_batch(batch.batch_id)
        return self._update(batch, failure=failure)

    def cancel_batch(self, batch: Batch, failure: Failure) -> Batch:
        """See BatchRepository."""
        current = self._batches[batch.batch_id]
        if current.status == "cancelling" or current.attempt != batch.attempt:
            return current
        return self._update(batch, status="cancelling", attempt=batch.attempt + 1, failure=failure)

    def restart_batch(self, batch: Batch) -> Batch:
        """See BatchRepository."""
        if self._batches[batch.batch_id].attempt != batch.attempt:
            return self.get_batch(batch.batch_id)
        return self._update(batch, attempt=batch.attempt + 1)

    def begin_results(self, batch: Batch) -> Batch:
        """See BatchRepository."""
        if self._batches[batch.batch_id].status == "cancelling":
            return self.get_batch(batch.batch_id)
        return self._update(batch, status="finalizing")

    def end_batch(self, batch: Batch, status: BatchStatus, parts: int, ended_at: datetime) -> Batch:
        """See BatchRepository."""
        return self._update(batch, status=status, parts=parts, ended_at=ended_at)

    def claim_line(self, batch: Batch, line: BatchLine) -> BatchLine:
        """See BatchRepository."""
        with self._lock:
            key = (batch.batch_id, line.line)
            known = self._lines.setdefault(key, line)
            if known.end is None and line.task_token and self._attempts[key] <= batch.attempt:
                self._attempts[key] = batch.attempt
                known = known.model_copy(update={"task_token": line.task_token})
                self._lines[key] = known
            return known

    def end_line(self, batch_id: str, number: int, end: LineEnd, created_at: datetime) -> BatchLine:
        """See BatchRepository."""
        del created_at  # nothing expires
        with self._lock:
            line = self._lines.get((batch_id, number))
            if line is None:
                raise NotFound(f"line {number} of batch {batch_id} was not started")
            if line.end is None:
                line = self._lines[batch_id, number] = line.model_copy(update={"end": end})
            return line

    def get_counts(self, batch_id: str) -> BatchCounts:
        """See BatchRepository."""
        ends = [line.end for line in self._lines_of(batch_id) if line.end is not None]

        def count(*statuses: str) -> int:
            return sum(end.status in statuses for end in ends)

        return BatchCounts(
            completed=count("completed"),
            cancelled=count("cancelled"),
            failed=len(ends) - count("completed", "cancelled"),
            usage=_total([end.usage for end in ends]),
        )

    def list_lines(self, batch_id: str, first: int, last: int) -> Iterator[BatchLine]:
        """See BatchRepository."""
        return iter([line for line in self._lines_of(batch_id) if first <= line.line <= last])

    def list_open_lines(self, batch_id: str) -> Iterator[BatchLine]:
        """See BatchRepository."""
        lines = [
            BatchLine(line=line.line, run_id=line.run_id)
            for line in self._lines_of(batch_id)
            if line.end is None and line.run_id is not None and line.line not in self.hidden_lines
        ]
        return iter(sorted(lines, key=lambda line: str(line.run_id)))

    def _lines_of(self, batch_id: str) -> list[BatchLine]:
        with self._lock:
            return [line for (each, _), line in sorted(self._lines.items()) if each == batch_id]

    def _update(self, batch: Batch, **fields: Any) -> Batch:
        """Change a record that has not ended."""
        with self._lock:
            current = self._batches[batch.batch_id]
            if not current.ended:
                current = self._batches[batch.batch_id] = current.model_copy(update=fields)
            return current


def _total(usages: list[Usage]) -> Usage:
    """The sum. It has no price if one of them has tokens without a price."""
    without_price = any(usage.total_tokens and usage.usd is None for usage in usages)
    return Usage(
        input_tokens=sum(usage.input_tokens for usage in usages),
        output_tokens=sum(usage.output_tokens for usage in usages),
        total_tokens=sum(usage.total_tokens for usage in usages),
        usd=None if without_price else sum(usage.usd or 0 for usage in usages),
    )
