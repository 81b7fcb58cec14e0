"""The layout of the table for batches: their records, their lines and their counts.

    pk                sk                  what
    BATCH#<batch_id>  BATCH               the record: request, status, times
    BATCH#<batch_id>  COUNTS#<shard>      how many lines have ended and what their runs have used
    BATCH#<batch_id>  LINE#<number>       a line that was started: its run, its task token, its end
    BATCHES           <time>-<batch_id>   an entry in the list of all batches
    BATCHES#<owner>   <time>-<batch_id>   an entry in the list of the owner's

A line whose run has not ended is in the index `open_runs`: its attribute `open` is the id of its batch. The
record is in no index, because lists of runs read those: a batch has entries in two lists instead, which are
written with the record. The entry in the list of all is in `open_runs` as well, until the batch has ended;
its `run_id`, by which the index sorts, is its place in the list. Several items hold the counts, because
transactions that change the same item at once repeat each other.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from upcall import config
from upcall.aws.dynamodb import Item, Table, run_table, update_request
from upcall.aws.transaction import put, put_new, transact, update
from upcall.domain.batch import (
    TERMINAL_BATCH_STATUSES,
    Batch,
    BatchCounts,
    BatchLine,
    BatchPage,
    BatchStatus,
    LineEnd,
    list_key_prefix,
    no_such_batch,
)
from upcall.domain.batch_view import MAX_LIST_BYTES
from upcall.domain.errors import NotFound
from upcall.domain.failure import Failure
from upcall.domain.json_size import json_bytes
from upcall.domain.run import AFTER_ALL_RUNS
from upcall.domain.usage import Usage

COUNT_SHARDS = 16

BATCHES_PER_REQUEST = 5
"""Whose records and counts one request reads: 85 items, of 100 that DynamoDB allows."""

_RECORD = "BATCH"
_COUNTS = "COUNTS#"
_LINE = "LINE#"
_LIST = "BATCHES"
_AFTER_ALL_ENTRIES = "~"
_OPEN = "open"
_WITHOUT_PRICE = "without_price"
_PICODOLLARS = "picodollars"
"""Integers, whose sums are exact."""


@cache
def batch_repository() -> "DynamoDBBatchRepository":
    """The repository of this function's environment."""
    return DynamoDBBatchRepository(run_table(), config.retention_days())


class DynamoDBBatchRepository:
    """Implements BatchRepository. Items expire so many days after their batch was created."""

    def __init__(self, table: Table, retention_days: int) -> None:
        self._table = table
        self._retention = timedelta(days=retention_days)

    def add_batch(self, batch: Batch) -> Batch:
        """See BatchRepository. The record and its entries in lists are written in one transaction."""
        record = batch.model_dump(mode="json", exclude_none=True)
        record["defaults"] = json.dumps(record["defaults"])  # floats in an item come back as decimals
        entry = self._with_expiry(batch.created_at, {"batch_id": batch.batch_id})
        writes = [
            put_new(*_key(batch), self._with_expiry(batch.created_at, record)),
            put(_LIST, batch.list_key, {**entry, _OPEN: _LIST, "run_id": batch.list_key}),
            put(_list_pk(batch.owner), batch.list_key, entry),
        ]
        return batch if transact(self._table, writes) is None else self.get_batch(batch.batch_id)

    def get_batch(self, batch_id: str) -> Batch:
        """See BatchRepository."""
        record = self._table.get(f"BATCH#{batch_id}", _RECORD)
        if record is None:
            raise no_such_batch(batch_id)
        return Batch.from_item(record)

    def list_batches(self, *, owner: str | None, limit: int, cursor: str | None = None) -> BatchPage:
        """See BatchRepository. One request for the entries, and one for each BATCHES_PER_REQUEST of them."""
        entries = self._table.query_newest(_list_pk(owner), cursor or _AFTER_ALL_ENTRIES, limit + 1)
        batches: list[tuple[Batch, BatchCounts]] = []
        size = read = 0
        for counted in self._read_entries(entries[:limit]):
            read += 1
            if counted is not None:
                batches.append(counted)
                size += json_bytes(counted[0].model_dump_json())
            if size > MAX_LIST_BYTES:
                break
        next_cursor = entries[read - 1]["sk"] if read < len(entries) else None
        return BatchPage(batches=tuple(batches), next_cursor=next_cursor)

    def list_open_batches(self, created_before: datetime) -> Iterator[str]:
        """See BatchRepository. One query of an index."""
        before = ("run_id", list_key_prefix(created_before))
        items = self._table.query_index("open_runs", (_OPEN, _LIST), before, descending=False)
        return (item["sk"].partition("-")[2] for item in items)

    def record_lines(self, batch: Batch, lines: int, started_at: datetime) -> Batch:
        """See BatchRepository."""
        fields = {"lines": lines, "started_at": started_at.isoformat(), "status": "in_progress"}
        self._table.update(*_key(batch), fields, status="validating")
        return self.get_batch(batch.batch_id)

    def stop_batch(self, batch: Batch, failure: Failure) -> Batch:
        """See BatchRepository."""
        fields = {"failure": failure.model_dump()}
        self._table.update(*_key(batch), fields, status=TERMINAL_BATCH_STATUSES, failure=None)
        return self.get_batch(batch.batch_id)

    def cancel_batch(self, batch: Batch, failure: Failure) -> Batch:
        """See BatchRepository."""
        fields = {"status": "cancelling", "attempt": batch.attempt + 1, "failure": failure.model_dump()}
        self._table.update(
            *_key(batch), fields, status=("cancelling", *TERMINAL_BATCH_STATUSES), attempt=batch.attempt
        )
        return self.get_batch(batch.batch_id)

    def restart_batch(self, batch: Batch) -> Batch:
        """See BatchRepository."""
        fields = {"attempt": batch.attempt + 1}
        self._table.update(*_key(batch), fields, status=TERMINAL_BATCH_STATUSES, attempt=batch.attempt)
        return self.get_batch(batch.batch_id)

    def begin_results(self, batch: Batch) -> Batch:
        """See BatchRepository."""
        fields = {"status": "finalizing"}
        self._table.update(*_key(batch), fields, status=("cancelling", *TERMINAL_BATCH_STATUSES))
        return self.get_batch(batch.batch_id)

    def end_batch(self, batch: Batch, status: BatchStatus, parts: int, ended_at: datetime) -> Batch:
        """See BatchRepository."""
        fields = {"status": status, "parts": parts, "ended_at": ended_at.isoformat()}
        self._table.update(*_key(batch), fields, status=TERMINAL_BATCH_STATUSES)
        self._table.update(_LIST, batch.list_key, {}, remove=(_OPEN,))
        return self.get_batch(batch.batch_id)

    def claim_line(self, batch: Batch, line: BatchLine) -> BatchLine:
        """See BatchRepository."""
        key = _line_key(batch.batch_id, line.line)
        item = {**line.model_dump(exclude={"line", "end"}, exclude_none=True), "attempt": batch.attempt}
        if self._table.put_new(*key, self._with_expiry(batch.created_at, {**item, _OPEN: batch.batch_id})):
            return line
        if line.task_token:
            fields = {"task_token": line.task_token, "attempt": batch.attempt}
            self._table.update(*key, fields, below={"attempt": batch.attempt + 1}, end=None)
        return self._get_line(batch.batch_id, line.line) or line

    def end_line(self, batch_id: str, number: int, end: LineEnd, created_at: datetime) -> BatchLine:
        """See BatchRepository. The line and the counts change in one transaction."""
        key = _line_key(batch_id, number)
        expiry = self._with_expiry(created_at, {})
        ended = update_request(*key, {"end": end.model_dump_json()}, remove=(_OPEN,), exists=True, end=None)
        counts_key = _counts_key(batch_id, number % COUNT_SHARDS)
        counts = update_request(*counts_key, expiry, add=_counts_of(end))
        transact(self._table, [update(ended), update(counts)])
        line = self._get_line(batch_id, number)
        if line is None:
            raise NotFound(f"line {number} of batch {batch_id} was not started")
        return line

    def get_counts(self, batch_id: str) -> BatchCounts:
        """See BatchRepository. One query."""
        return _sum_counts(list(self._table.query(_pk(batch_id), _COUNTS, f"{_COUNTS}~")))

    def list_lines(self, batch_id: str, first: int, last: int) -> Iterator[BatchLine]:
        """See BatchRepository."""
        (pk, start), (_, end) = _line_key(batch_id, first), _line_key(batch_id, last)
        return (_parse_line(item) for item in self._table.query(pk, start, end))

    def list_open_lines(self, batch_id: str) -> Iterator[BatchLine]:
        """See BatchRepository. One query of an index, which follows the table."""
        before = ("run_id", AFTER_ALL_RUNS)
        items = self._table.query_index("open_runs", (_OPEN, batch_id), before, descending=False)
        return (BatchLine(line=_number(item["sk"]), run_id=item["run_id"]) for item in items)

    def _read_entries(self, entries: Sequence[Item]) -> Iterator[tuple[Batch, BatchCounts] | None]:
        """The batch of each entry of a list with its counts; None if it has expired.

        Items expire one by one, so an entry may be left with the record of a later batch, whose idempotency
        key was the same.
        """
        for start in range(0, len(entries), BATCHES_PER_REQUEST):
            some = entries[start : start + BATCHES_PER_REQUEST]
            found = self._table.get_many({key for entry in some for key in _shown_keys(entry["batch_id"])})
            for entry in some:
                record, *shards = (found.get(key) for key in _shown_keys(entry["batch_id"]))
                batch = None if record is None else Batch.from_item(record)
                if batch is None or batch.list_key != entry["sk"]:
                    yield None
                else:
                    yield batch, _sum_counts([shard for shard in shards if shard is not None])

    def _get_line(self, batch_id: str, number: int) -> BatchLine | None:
        item = self._table.get(*_line_key(batch_id, number))
        return None if item is None else _parse_line(item)

    def _with_expiry(self, created_at: datetime, item: Item) -> Item:
        return {"expires_at": int((created_at + self._retention).timestamp()), **item}


def _pk(batch_id: str) -> str:
    return f"BATCH#{batch_id}"


def _key(batch: Batch) -> tuple[str, str]:
    return _pk(batch.batch_id), _RECORD


def _list_pk(owner: str | None) -> str:
    """The partition of the list of an owner's batches, or of all."""
    return _LIST if owner is None else f"{_LIST}#{owner}"


def _counts_key(batch_id: str, shard: int) -> tuple[str, str]:
    return _pk(batch_id), f"{_COUNTS}{shard:02}"


def _shown_keys(batch_id: str) -> list[tuple[str, str]]:
    """The keys of the items that a list shows of a batch: its record and its counts."""
    counts = [_counts_key(batch_id, shard) for shard in range(COUNT_SHARDS)]
    return [(_pk(batch_id), _RECORD), *counts]


def _line_key(batch_id: str, number: int) -> tuple[str, str]:
    return _pk(batch_id), f"{_LINE}{number:08}"


def _number(sort_key: str) -> int:
    return int(sort_key.removeprefix(_LINE))


def _parse_line(item: Item) -> BatchLine:
    end = LineEnd.model_validate_json(item["end"]) if "end" in item else None
    fields = {name: item[name] for name in ("run_id", "custom_id", "task_token") if name in item}
    return BatchLine(line=_number(item["sk"]), end=end, **fields)


def _sum_counts(shards: Sequence[Item]) -> BatchCounts:
    def total(name: str) -> Any:
        return sum(shard.get(name, 0) for shard in shards)

    usage = {name: total(name) for name in Usage.model_fields}
    usage["usd"] = None if total(_WITHOUT_PRICE) else total(_PICODOLLARS) / 10**12
    return BatchCounts(
        completed=total("completed"),
        failed=total("failed"),
        cancelled=total("cancelled"),
        usage=Usage.model_validate(usage),
    )


def _counts_of(end: LineEnd) -> dict[str, int]:
    """What a line that has ended adds to the counts."""
    outcome = end.status if end.status in ("completed", "cancelled") else "failed"
    usage = {name: number for name, number in end.usage.model_dump(exclude={"usd"}).items() if number}
    if end.usage.usd:
        usage[_PICODOLLARS] = round(end.usage.usd * 10**12)
    return {outcome: 1, **usage, **({_WITHOUT_PRICE: 1} if _has_no_price(end.usage) else {})}


def _has_no_price(usage: Usage) -> bool:
    return not usage.is_empty and usage.usd is None
