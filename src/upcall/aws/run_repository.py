"""The layout of the table: records of runs, ledgers, messages and idempotency keys.

    pk             sk                                what
    RUN#<run_id>   RUN                               the record: request, status, upstream ids, usage, log
    RUN#<run_id>   CALL#<round>#<position>           the ledger: a tool call and its output
    RUN#<run_id>   OPEN#<attempt>#<round>#<position> a call that waits, or has waited, for an answer
    RUN#<run_id>   MESSAGE#<attempt>#<n>             the final message, in parts of at most 350 KB
    RUN#<run_id>   TEXT#<n>                          a piece of what the model writes, before its turn ends
    ONCE#<run_id>  ONCE#<hash>                       a call that runs at most once (upcall.tool.idempotency)
    KEY#<hash>     KEY                               the run that an idempotency key stands for
    WAIT#<id>      WAIT                              the task that waits for a webhook about this upstream id
    WEBHOOK#<id>   WEBHOOK                           a webhook's message that was taken up

    index          partition          sort key  holds
    open_runs      open ("open")      run_id    keys of records without a terminal status
    runs_by_time   item_type ("run")  run_id    what a list shows of each record
    runs_by_owner  owner              run_id    the same, for lists of one owner

Ids of runs sort by time. The attribute `open` is removed when a run ends, and its record leaves the index.
Only records have the other two attributes. A status only moves forward: every write to a record demands that
it is open. What happened is appended to the log of the record by the write that makes the change.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from types import MappingProxyType
from typing import Any

from upcall import config
from upcall.aws import control_items
from upcall.aws.dynamodb import Item, Table, run_table, update_request
from upcall.aws.transaction import put_new, transact, update
from upcall.domain import run_log
from upcall.domain.caller import no_such_run
from upcall.domain.errors import RunAlreadyEnded, RunNotRetryable
from upcall.domain.failure import Failure
from upcall.domain.idempotency_claim import IdempotencyClaim
from upcall.domain.json_size import json_bytes
from upcall.domain.message_text import StoredPiece
from upcall.domain.model import Model
from upcall.domain.open_calls import CallAnswer, OpenCall
from upcall.domain.quota import NO_QUOTA, Counted, Quota, day_of
from upcall.domain.run import AFTER_ALL_RUNS, Run, Updates, run_id_prefix
from upcall.domain.run_log import Log
from upcall.domain.status import TERMINAL_STATUSES, Status, TerminalStatus
from upcall.domain.stop import Controls
from upcall.domain.tool_calls import LedgerEntry, ToolCall, tool_ms, waited_seconds
from upcall.domain.upstream_run import Message, UpstreamRun
from upcall.domain.usage import NO_USAGE, Usage
from upcall.domain.views import MAX_CALLS_BYTES, CallList, RunList, RunSummary
from upcall.domain.waiting_task import WaitingTask

MESSAGE_PART_BYTES = 350_000
"""A DynamoDB item holds 400 KB; this leaves room for its other attributes."""

EXCERPT_CHARACTERS = 80

MAX_SCANNED_RUNS = 2000
"""Records that are read for one page of a list that shows one status only."""

SCAN_PAGE_SIZE = 500
"""Records that one request reads for such a page. Each is about 300 bytes in the index."""

WEBHOOK_RETENTION = timedelta(hours=96)
"""OpenAI sends a message again for up to 72 hours."""

_WITH_FLOATS = ("response_format", "temperature", "tools")
"""Fields of a run that are written as JSON text: DynamoDB takes no floats."""

_OPEN = "open"
_WAITING_CALLS = "waiting_calls"
_CALL_ID = re.compile(r"([1-9][0-9]{0,3})-([1-9][0-9]{0,3})", re.ASCII)
_RECORD = "RUN"
_PIECE = "TEXT#"
_AFTER_ALL_PIECES = 999_999


@cache
def run_repository() -> "DynamoDBRunRepository":
    """The repository of this function's environment."""
    return DynamoDBRunRepository(run_table(), config.retention_days())


class DynamoDBRunRepository:
    """Implements RunRepository. Items expire so many days after their run was created."""

    def __init__(
        self, table: Table, retention_days: int, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._table = table
        self._now = now
        self._retention = timedelta(days=retention_days)

    def claim_idempotency_key(self, key: str, run: Run, fingerprint: str) -> IdempotencyClaim:
        """See RunRepository."""
        pk = f"KEY#{hashlib.sha256(json.dumps([run.owner, key]).encode()).hexdigest()}"
        claim = IdempotencyClaim(run_id=run.run_id, fingerprint=fingerprint)
        if self._table.put_new(pk, "KEY", self._with_expiry(run, claim.model_dump())):
            return claim
        return IdempotencyClaim.from_item(self._table.get(pk, "KEY") or {})

    def get_controls(self, owner: str, batch_id: str | None = None) -> Controls:
        """See RunRepository. One request."""
        return control_items.ControlItems(self._table).get(owner, batch_id)

    def add_run(self, run: Run, quota: Quota = NO_QUOTA) -> Run:
        """See RunRepository. A run without a quota is a single write."""
        log = run_log.queued(run.created_at, run.attempt)
        run = run.model_copy(update={"counted": _counted(quota, run.created_at), "log": log})
        record = _to_item(run)
        record["log"] = _log_items(log)
        del record["waiting_calls"]  # a set without members is no attribute
        record |= {name: json.dumps(record[name]) for name in _WITH_FLOATS if name in record}
        record["excerpt"] = " ".join(run.last_input.split())[:EXCERPT_CHARACTERS]
        record |= {"item_type": "run", _OPEN: _OPEN}
        key = (_pk(run.run_id), _RECORD)
        if run.counted is None:
            added = self._table.put_new(*key, self._with_expiry(run, record))
            return run if added else self.get_run(run.run_id)
        writes = [put_new(*key, self._with_expiry(run, record)), *control_items.start_writes(run, quota)]
        refusals = transact(self._table, writes)
        if refusals is None:
            return run
        if refusals[0] is not None:  # there is a record, which counts already
            return self.get_run(run.run_id)
        raise control_items.refused_start(quota, refusals[1:], run.created_at)

    def get_run(self, run_id: str) -> Run:
        """See RunRepository."""
        record = self._table.get(_pk(run_id), _RECORD)
        if record is None:
            raise no_such_run(run_id)
        return Run.from_item(record)

    def record_intent(self, run: Run, intent: UpstreamRun) -> None:
        """See RunRepository."""
        self._update(run, "queued", {"intent": intent.model_dump()})

    def record_creation(
        self, run: Run, upstream_run: UpstreamRun, updates: Updates, usage: Usage = NO_USAGE
    ) -> None:
        """See RunRepository."""
        fields = {
            "upstream_run": upstream_run.model_dump(),
            "updates": updates,
            "usage": (run.usage + usage).model_dump(),
        }
        self._update(run, "in_progress", fields, log=run_log.in_progress(self._now()))

    def record_pause(self, run_id: str, reason: str, seconds: float) -> None:
        """See RunRepository."""
        self._table.update(
            _pk(run_id),
            _RECORD,
            {},
            add={"pauses": 1},
            append=_appended(run_log.paused(self._now(), reason, seconds)),
            below={"pauses": run_log.MAX_PAUSES},
            status=TERMINAL_STATUSES,
        )

    def record_requested_calls(
        self, run_id: str, round_number: int, calls: Sequence[ToolCall], calls_before: int
    ) -> None:
        """See RunRepository."""
        entries = run_log.requires_action(self._now(), round_number, calls, calls_before)
        self._table.update(
            _pk(run_id),
            _RECORD,
            {"requested_round": round_number},
            append=_appended(entries),
            below={"requested_round": round_number},
            status=TERMINAL_STATUSES,
            round=round_number - 1,
        )

    def add_waiting_task(self, webhook_id: str, task: WaitingTask) -> None:
        """See RunRepository. The task is written as JSON text: DynamoDB takes no floats."""
        item = {"task": task.model_dump_json(), "expires_at": _seconds(task.since + self._retention)}
        self._table.put(f"WAIT#{webhook_id}", "WAIT", item)

    def get_waiting_task(self, webhook_id: str) -> WaitingTask | None:
        """See RunRepository."""
        item = self._table.get(f"WAIT#{webhook_id}", "WAIT")
        return None if item is None else WaitingTask.model_validate_json(item["task"])

    def has_webhook(self, message_id: str) -> bool:
        """See RunRepository."""
        return self._table.get(f"WEBHOOK#{message_id}", "WEBHOOK") is not None

    def record_webhook(self, message_id: str, now: datetime) -> None:
        """See RunRepository."""
        item = {"expires_at": _seconds(now + WEBHOOK_RETENTION)}
        self._table.put(f"WEBHOOK#{message_id}", "WEBHOOK", item)

    def record_round(
        self, run: Run, upstream_run: UpstreamRun, answers: Sequence[LedgerEntry], usage: Usage
    ) -> None:
        """See RunRepository. The ledger is written first: it is read only if the record counts the round."""
        for entry in answers:
            item = self._with_expiry(run, _to_item(entry))
            self._table.put(_pk(run.run_id), f"CALL#{_position(entry)}", item)
        fields = {
            "upstream_run": upstream_run.model_dump(),
            "round": run.round + 1,
            "tool_calls": run.tool_calls + len(answers),
            "tool_ms": run.tool_ms + tool_ms(answers),
            "waited_seconds": run.waited_seconds + waited_seconds(answers),
            "usage": (run.usage + usage).model_dump(),
        }
        log = run_log.round_ended(self._now(), answers, run.log, run.round + 1, usage)
        self._update(run, "in_progress", fields, remove=(_WAITING_CALLS,), log=log)

    def open_call(self, run: Run, call: OpenCall) -> OpenCall:
        """See RunRepository. The record is written first: later the answer may have deleted the entry."""
        known = self.get_open_call(run, call.id)
        if known is None:
            log = run_log.waiting(call, run.log)
            self._update(run, "requires_action", {}, add={_WAITING_CALLS: {call.entry}}, log=log)
            if self._table.put_new(
                *_open_call_key(run, call.id), self._with_expiry(run, _open_call_item(call))
            ):
                return call
            known = self.get_open_call(run, call.id) or call
        if known.answer is None:
            self._table.update(*_open_call_key(run, call.id), {"task_token": call.task_token}, answer=None)
            known = self.get_open_call(run, call.id) or call
        return known

    def list_open_calls(self, run: Run) -> list[OpenCall]:
        """See RunRepository."""
        return [_parse_open_call(item) for item in self._query(run.run_id, f"OPEN#{run.attempt:02}#")]

    def get_open_call(self, run: Run, call_id: str) -> OpenCall | None:
        """See RunRepository."""
        if not _CALL_ID.fullmatch(call_id):
            return None
        item = self._table.get(*_open_call_key(run, call_id))
        return None if item is None else _parse_open_call(item)

    def mark_call_published(self, run: Run, call: OpenCall) -> None:
        """See RunRepository."""
        self._table.update(*_open_call_key(run, call.id), {"event_published": True})

    def answer_call(self, run: Run, call: OpenCall, answer: CallAnswer) -> OpenCall:
        """See RunRepository."""
        key = _open_call_key(run, call.id)
        self._table.update(*key, {"answer": answer.model_dump_json()}, answer=None)
        return self.get_open_call(run, call.id) or call

    def close_call(self, run: Run, call: OpenCall) -> None:
        """See RunRepository."""
        pk = _pk(run.run_id)
        condition: dict[str, Any] = {
            "status": "requires_action",
            "attempt": run.attempt,
            "round": call.round - 1,
        }
        self._table.update(
            pk,
            _RECORD,
            {},
            delete={_WAITING_CALLS: {call.entry}},
            append=_appended(run_log.answered(call, run.log)),
            containing={_WAITING_CALLS: call.entry},
            **condition,
        )
        condition[_WAITING_CALLS] = None
        self._table.update(pk, _RECORD, {"status": "in_progress"}, **condition)

    def complete_run(self, run: Run, message: Message, ended_at: datetime) -> Run:
        """See RunRepository."""
        return self._end(run, "completed", message.usage, ended_at, message.text)

    def record_failure(
        self, run: Run, failure: Failure, usage: Usage, ended_at: datetime, partial_text: str = ""
    ) -> Run:
        """See RunRepository."""
        return self._end(run, failure.status, usage, ended_at, partial_text, failure)

    def mark_event_published(self, run: Run) -> None:
        """See RunRepository."""
        self._table.update(_pk(run.run_id), _RECORD, {"event_published": True}, attempt=run.attempt)

    def settle_run(self, run: Run) -> Run:
        """See RunRepository. One transaction."""
        settled = run.unsettled
        if settled is None:
            return run
        marker = update_request(
            _pk(run.run_id),
            _RECORD,
            {"settled": settled.model_dump()},
            exists=True,
            attempt=run.attempt,
            settled=run.settled and run.settled.model_dump(),
        )
        transact(self._table, [update(marker), *control_items.end_writes(run)])
        return self.get_run(run.run_id)  # if the marker was refused, the attempt was settled meanwhile

    def reopen_run(
        self,
        run: Run,
        previous_upstream_run: UpstreamRun | None,
        quota: Quota = NO_QUOTA,
        now: datetime | None = None,
    ) -> Run:
        """See RunRepository."""
        counted = _counted(quota, now or run.created_at)
        reopened = run.model_copy(update={"counted": counted})
        fields = {
            "status": "queued",
            _OPEN: _OPEN,
            "attempt": run.attempt + 1,
            "previous_upstream_run": previous_upstream_run.model_dump() if previous_upstream_run else None,
            "intent": None,
            "upstream_run": None,
            "failure": None,
            "ended_at": None,
            "message_parts": 0,
            "event_published": False,
            "counted": counted and counted.model_dump(),
        }
        writes = control_items.start_writes(reopened, quota)
        condition: dict[str, Any] = {"status": run.status, "attempt": run.attempt}
        condition["append"] = _appended(run_log.queued(now or self._now(), run.attempt + 1))
        key = (_pk(run.run_id), _RECORD)
        if not writes:
            refused = not self._table.update(*key, fields, **condition)
        else:
            record = update_request(*key, fields, exists=True, **condition)
            refusals = transact(self._table, [update(record), *writes])
            if refusals is not None and refusals[0] is None:
                raise control_items.refused_start(quota, refusals[1:], now or run.created_at)
            refused = refusals is not None
        if refused:
            raise RunNotRetryable(f"run {run.run_id} is being retried already")
        return self.get_run(run.run_id)

    def get_message(self, run: Run) -> str | None:
        """See RunRepository."""
        if run.status != "completed" and not run.message_parts:
            return None
        parts = islice(self._query(run.run_id, _message_prefix(run)), run.message_parts)
        return "".join(str(part["text"]) for part in parts)

    def get_message_part(self, run: Run, number: int) -> str | None:
        """See RunRepository. A part has at most MESSAGE_PART_BYTES of UTF-8."""
        if number >= run.message_parts:
            return None
        item = self._table.get(_pk(run.run_id), f"{_message_prefix(run)}{number + 1:04}")
        return None if item is None else str(item["text"])

    def get_last_piece(self, run_id: str) -> StoredPiece | None:
        """See RunRepository."""
        found = self._table.query_newest(_pk(run_id), _piece_key(_AFTER_ALL_PIECES), 1)
        return next(
            (StoredPiece.from_item(each) for each in found if str(each["sk"]).startswith(_PIECE)), None
        )

    def add_piece(self, run_id: str, piece: StoredPiece) -> bool:
        """See RunRepository."""
        item = {"expires_at": _seconds(self._now() + self._retention), **_to_item(piece)}
        return self._table.put_new(_pk(run_id), _piece_key(piece.number), item)

    def list_pieces(self, run_id: str, after: int, limit: int) -> list[StoredPiece]:
        """See RunRepository."""
        items = self._query(run_id, _PIECE, f"{after + 1:06}")
        return [StoredPiece.from_item(item) for item in islice(items, limit)]

    def get_ledger(self, run_id: str) -> list[LedgerEntry]:
        """See RunRepository."""
        return [LedgerEntry.from_item(item) for item in self._query(run_id, "CALL#")]

    def list_calls(self, run_id: str, limit: int, cursor: str | None = None) -> CallList:
        """See RunRepository. A page ends early if its calls take more than MAX_CALLS_BYTES."""
        calls: list[LedgerEntry] = []
        size = 0
        for item in self._query(run_id, "CALL#", f"{cursor}\0" if cursor else ""):
            entry = LedgerEntry.from_item(item)
            calls.append(entry)
            size += json_bytes(entry.model_dump_json())
            if len(calls) == limit or size > MAX_CALLS_BYTES:
                return CallList(calls=tuple(calls), next_cursor=_position(entry))
        return CallList(calls=tuple(calls))

    def list_runs(
        self, *, owner: str | None, status: Status | None, limit: int, cursor: str | None = None
    ) -> RunList:
        """See RunRepository. A page ends early if it has read MAX_SCANNED_RUNS records."""
        if owner is None:
            index, partition = "runs_by_time", ("item_type", "run")
        else:
            index, partition = "runs_by_owner", ("owner", owner)
        runs: list[RunSummary] = []
        before = ("run_id", cursor or AFTER_ALL_RUNS)
        page_size = limit if status is None else SCAN_PAGE_SIZE
        items = self._table.query_index(index, partition, before, page_size=page_size)
        for scanned, item in enumerate(items, start=1):
            if status is None or item["status"] == status:
                runs.append(RunSummary.from_item(item))
            if len(runs) == limit or scanned == MAX_SCANNED_RUNS:
                return RunList(runs=tuple(runs), next_cursor=item["run_id"])
        return RunList(runs=tuple(runs))

    def list_open_runs(self, created_before: datetime) -> Iterator[str]:
        """See RunRepository. One query."""
        before = ("run_id", run_id_prefix(created_before))
        items = self._table.query_index("open_runs", (_OPEN, _OPEN), before, descending=False)
        return (str(item["run_id"]) for item in items)

    def _end(
        self,
        run: Run,
        status: TerminalStatus,
        usage: Usage,
        ended_at: datetime,
        text: str,
        failure: Failure | None = None,
    ) -> Run:
        """Write a message's parts, then the end of its run. Only parts that the record counts are read."""
        parts = list(split_message(text))
        for number, part in enumerate(parts, start=1):
            item = self._with_expiry(run, {"text": part})
            self._table.put(_pk(run.run_id), f"{_message_prefix(run)}{number:04}", item)
        fields = {
            **({"failure": failure.model_dump()} if failure else {}),
            "usage": (run.usage + usage).model_dump(),
            "ended_at": ended_at.isoformat(),
            "message_parts": len(parts),
        }
        log = run_log.ended(ended_at, status, run.usage + usage, len(text), failure)
        self._update(run, status, fields, remove=(_OPEN, _WAITING_CALLS), log=log)
        return self.get_run(run.run_id)

    def _update(
        self,
        run: Run,
        status: Status,
        fields: Item,
        remove: Sequence[str] = (),
        add: Mapping[str, set[str]] = MappingProxyType({}),
        log: Log = (),
    ) -> None:
        """Set attributes of a record that is open, and still at the attempt and round of `run`."""
        updated = self._table.update(
            _pk(run.run_id),
            _RECORD,
            {**fields, "status": status},
            remove=remove,
            add=add,
            append=_appended(log),
            status=TERMINAL_STATUSES,
            attempt=run.attempt,
            round=run.round,
        )
        if not updated:
            raise RunAlreadyEnded(f"run {run.run_id} has ended or moved on")

    def _with_expiry(self, run: Run, item: Item) -> Item:
        return {"expires_at": _seconds(run.created_at + self._retention), **item}

    def _query(self, run_id: str, prefix: str, after: str = "") -> Iterator[Item]:
        return self._table.query(_pk(run_id), f"{prefix}{after}", f"{prefix}\U0010ffff")


def _counted(quota: Quota, now: datetime) -> Counted | None:
    if not quota.limits:
        return None
    return Counted(day=day_of(now), concurrent=quota.concurrent is not None)


def _appended(log: Log) -> dict[str, list[str]]:
    return {"log": _log_items(log)} if log else {}


def _log_items(log: Log) -> list[str]:
    return [entry.to_json() for entry in log]


def _seconds(time: datetime) -> int:
    return int(time.timestamp())


def _pk(run_id: str) -> str:
    return f"RUN#{run_id}"


def _message_prefix(run: Run) -> str:
    return f"MESSAGE#{run.attempt:02}#"


def _piece_key(number: int) -> str:
    return f"{_PIECE}{number:06}"


def _position(entry: LedgerEntry) -> str:
    """The round and position of a call, as a key that sorts in their order."""
    return f"{entry.round:04}#{entry.position:04}"


def _open_call_key(run: Run, call_id: str) -> tuple[str, str]:
    round_number, position = map(int, call_id.split("-"))
    return _pk(run.run_id), f"OPEN#{run.attempt:02}#{round_number:04}#{position:04}"


def _open_call_item(call: OpenCall) -> Item:
    """A call as an item. What changes later stands outside of its JSON text."""
    changing = {"task_token": call.task_token, "event_published": call.event_published}
    return {"call": call.model_dump_json(exclude={"task_token", "event_published", "answer"}), **changing}


def _parse_open_call(item: Item) -> OpenCall:
    answer = CallAnswer.model_validate_json(item["answer"]) if "answer" in item else None
    changing = {name: item[name] for name in ("task_token", "event_published")}
    return OpenCall.model_validate({**json.loads(item["call"]), **changing, "answer": answer})


def _to_item(model: Model) -> dict[str, Any]:
    return model.model_dump(mode="json", exclude_none=True)


def split_message(text: str) -> Iterator[str]:
    """The text in parts of at most MESSAGE_PART_BYTES of UTF-8, cut between characters."""
    data = text.encode()
    start = 0
    while start < len(data):
        end = min(start + MESSAGE_PART_BYTES, len(data))
        while end < len(data) and data[end] & 0b1100_0000 == 0b1000_0000:
            end -= 1  # a continuation byte: go back to where its character begins
        yield data[start:end].decode()
        start = end
