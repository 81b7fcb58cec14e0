"""The one owner of the table: runs, their ledger, their messages.

    pk            sk                        what
    RUN#<run_id>  RUN                       the record: request, status, ids upstream, usage, times
    RUN#<run_id>  CALL#<round>#<call_id>    the ledger: a tool call and its output
    RUN#<run_id>  MESSAGE#<n>               the final message, in parts of at most 350 KB
    KEY#<hash>    KEY                       the run that a request with an idempotency key has started

The index `runs_by_status` has a partition per status and day, so that no partition takes every
write, and sorts by run id, which sorts by time. Only records have its key: it is sparse.
A status only moves forward: every write to a record demands that it is still open.
"""

import hashlib
import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, TypeVar

from upcall import settings
from upcall.errors import NotFound, RunEnded
from upcall.models import (
    END_STATUSES,
    OPEN_STATUSES,
    EndStatus,
    Failure,
    Handle,
    LedgerEntry,
    Message,
    Model,
    Status,
    ToolCall,
    ToolOutput,
    Usage,
)
from upcall.run import CallList, Run, RunList, RunSummary

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

M = TypeVar("M", bound=Model)

PART_BYTES = 350_000
"""A DynamoDB item holds 400 KB; a message part leaves room for its keys."""

EXCERPT_CHARACTERS = 80

LIST_LIMIT = 100
"""Runs, or calls, that one part of a list holds at most."""

MAX_QUERIES = 93
"""For one part of a list of runs: a month of one status, ten days of all."""

MAX_CALLS_BYTES = 3_000_000
"""Of outputs in one part of a ledger; an answer of Lambda holds 6 MB, with everything escaped."""

AFTER_ALL = "run_~"
"""Sorts after the id of every run."""


class Claim(Model):
    """The run that an idempotency key stands for, and what tells its request from others."""

    run_id: str
    fingerprint: str


@cache
def run_store() -> "RunStore":
    """The store of this function's environment."""
    import boto3

    return RunStore(boto3.client("dynamodb"), settings.table_name(), settings.retention_days())


class RunStore:
    """Runs, ledger and messages in one DynamoDB table."""

    def __init__(self, client: "DynamoDBClient", table: str, retention_days: int) -> None:
        self._client = client
        self._table = table
        self._retention = timedelta(days=retention_days)

    def claim(self, key: str, run: Run, fingerprint: str) -> Claim:
        """What a request's key stands for: from now on this run, unless it stands for one already."""
        hashed = hashlib.sha256(key.encode()).hexdigest()
        place = {"pk": {"S": f"KEY#{hashed}"}, "sk": {"S": "KEY"}}
        item = self._item(run, "KEY", {"run_id": run.run_id, "fingerprint": fingerprint})
        try:
            self._client.put_item(
                TableName=self._table,
                Item={**item, **place},
                ConditionExpression="attribute_not_exists(pk)",
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            found = self._client.get_item(TableName=self._table, Key=place, ConsistentRead=True)
            return _model(Claim, _read(found["Item"]))
        return Claim(run_id=run.run_id, fingerprint=fingerprint)

    def add(self, run: Run) -> Run:
        """Write the record of a new run; gives back the one that is there, if it is there already."""
        record = {
            **_written(run),
            "status_day": _status_day(run.status, run.created_at.date()),
            "excerpt": " ".join(run.prompt.split())[:EXCERPT_CHARACTERS],
        }
        try:
            self._client.put_item(
                TableName=self._table,
                Item=self._item(run, "RUN", record),
                ConditionExpression="attribute_not_exists(pk)",
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return self.get(run.run_id)
        return run

    def get(self, run_id: str) -> Run:
        """The record of a run. Raises NotFound."""
        found = self._client.get_item(TableName=self._table, Key=_key(run_id, "RUN"), ConsistentRead=True)
        if "Item" not in found:
            raise NotFound(f"there is no run {run_id!r}")
        return _model(Run, _read(found["Item"]))

    def intended(self, run: Run, intent: Handle) -> None:
        """Note what a run is about to be created with. Raises RunEnded."""
        self._update(run, status="queued", intent=intent.model_dump())

    def created(self, run: Run, handle: Handle) -> None:
        """Note where the run lives upstream. Raises RunEnded."""
        self._update(run, status="in_progress", handle=handle.model_dump())

    def round_done(
        self,
        run: Run,
        handle: Handle,
        calls: Sequence[ToolCall],
        outputs: Sequence[ToolOutput],
        usage: Usage,
    ) -> None:
        """Write a round into the ledger and move the record on to it. Raises RunEnded."""
        round_ = run.round + 1
        for position, (call, output) in enumerate(zip(calls, outputs, strict=True), start=1):
            entry = LedgerEntry(round=round_, position=position, call=call, output=output)
            sk = f"CALL#{round_:04}#{call.call_id}"
            self._client.put_item(TableName=self._table, Item=self._item(run, sk, _written(entry)))
        self._update(
            run,
            status="in_progress",
            handle=handle.model_dump(),
            round=round_,
            tool_calls=run.tool_calls + len(calls),
            usage=(run.usage + usage).model_dump(),
        )

    def completed(self, run: Run, message: Message) -> Run:
        """Write the final message and end the run with it. Raises RunEnded.

        The parts go first: until the record counts them, nobody reads them.
        """
        parts = list(_split(message.text))
        for number, part in enumerate(parts, start=1):
            self._client.put_item(
                TableName=self._table,
                Item=self._item(run, f"MESSAGE#{number:04}", {"text": part}),
            )
        return self._end(run, "completed", message.usage, message_parts=len(parts))

    def failed(self, run: Run, failure: Failure, usage: Usage) -> Run:
        """End the run without a message. Raises RunEnded."""
        return self._end(run, failure.status, usage, failure=failure.model_dump())

    def message(self, run: Run) -> str | None:
        """The final message of a completed run, put together from its parts."""
        if run.status != "completed":
            return None
        parts = islice(self._query(run.run_id, "MESSAGE#"), run.message_parts)
        return "".join(str(part["text"]) for part in parts)

    def ledger(self, run_id: str) -> list[LedgerEntry]:
        """The tool calls of a run that were answered, round by round."""
        entries = (_model(LedgerEntry, item) for item in self._query(run_id, "CALL#"))
        return sorted(entries, key=lambda entry: (entry.round, entry.position))

    def calls(self, run_id: str, limit: int, after: str | None = None) -> CallList:
        """A part of the ledger, round by round, and where the next begins. Raises NotFound."""
        self.get(run_id)
        found: list[LedgerEntry] = []
        size = 0
        for item in self._between(run_id, f"CALL#{after}\0" if after else "CALL#", "CALL$"):
            found.append(_model(LedgerEntry, item))
            size += len(found[-1].output.output.encode())
            if len(found) == limit or size > MAX_CALLS_BYTES:
                last = found[-1]
                return CallList(calls=tuple(found), next_cursor=f"{last.round:04}#{last.call.call_id}")
        return CallList(calls=tuple(found))

    def recent(self, status: Status | None = None) -> Iterator[RunSummary]:
        """Runs, newest first, as far back as the table keeps them."""
        cursor = None
        while True:
            part = self.listed(status, LIST_LIMIT, cursor)
            yield from part.runs
            if (cursor := part.next_cursor) is None:
                return

    def listed(self, status: Status | None, limit: int, before: str | None = None) -> RunList:
        """A part of the list of runs, newest first: those older than `before`, and where the next begins.

        A part may hold fewer than `limit` although more follow: no more than MAX_QUERIES are made for it.
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
            lists = [self._listed(each, day, before) for each in statuses]
            merged = heapq.merge(*lists, key=lambda run: run.run_id, reverse=True)
            for _, seen in groupby(merged, key=lambda run: run.run_id):
                *_, run = seen  # one that moved on meanwhile is in several lists, the last is where it went
                found.append(run)
                if len(found) == limit:
                    return RunList(runs=tuple(found), next_cursor=run.run_id)
        return RunList(runs=tuple(found), next_cursor=_before_day(day))

    def _end(self, run: Run, status: EndStatus, usage: Usage, **fields: Any) -> Run:
        self._update(
            run,
            status=status,
            usage=(run.usage + usage).model_dump(),
            ended_at=datetime.now(UTC).isoformat(),
            **fields,
        )
        return self.get(run.run_id)

    def _update(self, run: Run, *, status: Status, **fields: Any) -> None:
        """Set fields of a record that is still open, and still at the round that `run` shows."""
        fields |= {"status": status, "status_day": _status_day(status, run.created_at.date())}
        sets = ", ".join(f"#{name} = :{name}" for name in fields)
        ended = ", ".join(f":ended_{end}" for end in END_STATUSES)
        try:
            self._client.update_item(
                TableName=self._table,
                Key=_key(run.run_id, "RUN"),
                UpdateExpression=f"SET {sets}",
                ConditionExpression=f"NOT #status IN ({ended}) AND #round = :round_before",
                ExpressionAttributeNames={f"#{name}": name for name in {*fields, "round"}},
                ExpressionAttributeValues={
                    ":round_before": _serialize(run.round),
                    **{f":{name}": _serialize(value) for name, value in fields.items()},
                    **{f":ended_{end}": {"S": end} for end in END_STATUSES},
                },
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            raise RunEnded(f"run {run.run_id} has ended or moved on") from error

    def _item(self, run: Run, sk: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        expires_at = int((run.created_at + self._retention).timestamp())
        fields = {"expires_at": expires_at, **fields}
        return {
            **_key(run.run_id, sk),
            **{name: _serialize(value) for name, value in fields.items()},
        }

    def _query(self, run_id: str, prefix: str) -> Iterator[dict[str, Any]]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues={":pk": {"S": f"RUN#{run_id}"}, ":prefix": {"S": prefix}},
            ConsistentRead=True,
        )
        return _items(pages)

    def _between(self, run_id: str, first: str, end: str) -> Iterator[dict[str, Any]]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :end",
            ExpressionAttributeValues={
                ":pk": {"S": f"RUN#{run_id}"},
                ":first": {"S": first},
                ":end": {"S": end},
            },
            ConsistentRead=True,
        )
        return _items(pages)

    def _listed(self, status: Status, day: date, before: str | None) -> Iterator[RunSummary]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            IndexName="runs_by_status",
            KeyConditionExpression="status_day = :status_day AND run_id < :before",
            ExpressionAttributeValues={
                ":status_day": {"S": _status_day(status, day)},
                ":before": {"S": before or AFTER_ALL},
            },
            ScanIndexForward=False,
        )
        return (_model(RunSummary, item) for item in _items(pages))


def _key(run_id: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": f"RUN#{run_id}"}, "sk": {"S": sk}}


def _day_of(run_id: str) -> date:
    """The day on which a run of that id was created."""
    return datetime.fromtimestamp(int(run_id[4:16], 16) / 1000, UTC).date()


def _before_day(day: date) -> str:
    """What sorts before the ids of a day and after those of all days before it."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return f"run_{int(start.timestamp() * 1000):012x}"


def _status_day(status: Status, day: date) -> str:
    return f"{status}#{day.isoformat()}"


def _written(model: Model) -> dict[str, Any]:
    return model.model_dump(mode="json", exclude_none=True)


def _items(pages: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for page in pages:
        for item in page["Items"]:
            yield _read(item)


def _read(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _deserialize(value) for name, value in item.items()}


def _model(kind: type[M], item: Mapping[str, Any]) -> M:
    """The model in an item, without the item's keys."""
    return kind.model_validate({name: item[name] for name in kind.model_fields if name in item})


def _split(text: str) -> Iterator[str]:
    """The text in parts of at most PART_BYTES of UTF-8, cut between characters."""
    data = text.encode()
    start = 0
    while start < len(data):
        end = min(start + PART_BYTES, len(data))
        while end < len(data) and data[end] & 0b1100_0000 == 0b1000_0000:
            end -= 1  # a continuation byte: step back to where its character begins
        yield data[start:end].decode()
        start = end


@cache
def _serializers() -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """To and from DynamoDB's types; boto3 is loaded with the first use of a client, not before."""
    from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

    return TypeSerializer().serialize, TypeDeserializer().deserialize


def _serialize(value: Any) -> Any:
    return _serializers()[0](value)


def _deserialize(value: Any) -> Any:
    return _serializers()[1](value)
