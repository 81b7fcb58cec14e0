"""The one owner of what is kept of runs: records, ledgers, messages, idempotency keys.

    pk            sk                        what
    RUN#<run_id>  RUN                       the record: request, status, ids upstream, usage, times
    RUN#<run_id>  CALL#<round>#<call_id>    the ledger: a tool call and its output
    RUN#<run_id>  MESSAGE#<n>               the final message, in parts of at most 350 KB
    KEY#<hash>    KEY                       the run that a request with an idempotency key has started

A status only moves forward: every write to a record demands that it is still open.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from typing import Any

from upcall import metrics, settings
from upcall.errors import CannotRetry, NotFound, RunEnded
from upcall.models import (
    END_STATUSES,
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
from upcall.run import CallList, Run
from upcall.run_index import RunIndex, index_keys
from upcall.table import Item, Table, run_table

PART_BYTES = 350_000
"""A DynamoDB item holds 400 KB; a message part leaves room for its keys."""

EXCERPT_CHARACTERS = 80

MAX_CALLS_BYTES = 3_000_000
"""Of outputs in one part of a ledger; an answer of Lambda holds 6 MB, with everything escaped."""


class Claim(Model):
    """The run that an idempotency key stands for, and what tells its request from others."""

    run_id: str
    fingerprint: str


@cache
def run_store() -> "RunStore":
    """The store of this function's environment."""
    return RunStore(run_table(), settings.retention_days())


class RunStore:
    """Runs, ledgers and messages in a table, each kept for so many days after its run was asked for."""

    def __init__(self, table: Table, retention_days: int) -> None:
        self._table = table
        self._retention = timedelta(days=retention_days)
        self.index = RunIndex(table, self._retention)

    def claim(self, key: str, run: Run, fingerprint: str) -> Claim:
        """What a key of the run's owner stands for: this run from now on, unless it is taken already."""
        place = f"KEY#{hashlib.sha256(f'{run.owner} {key}'.encode()).hexdigest()}"
        claim = Claim(run_id=run.run_id, fingerprint=fingerprint)
        if self._table.add(place, "KEY", self._kept(run, claim.model_dump())):
            return claim
        return Claim.read(self._table.get(place, "KEY") or {})

    def add(self, run: Run) -> Run:
        """Write the record of a new run; gives back the one that is there, if it is there already."""
        record = _written(run)
        if run.response_format is not None:
            record["response_format"] = json.dumps(record["response_format"])
        record |= index_keys(run, run.status)
        record["excerpt"] = " ".join(run.asked.split())[:EXCERPT_CHARACTERS]
        added = self._table.add(_partition(run.run_id), "RUN", self._kept(run, record))
        return run if added else self.get(run.run_id)

    def get(self, run_id: str) -> Run:
        """The record of a run. Raises NotFound."""
        found = self._table.get(_partition(run_id), "RUN")
        if found is None:
            raise no_such_run(run_id)
        return Run.read(found)

    def intended(self, run: Run, intent: Handle) -> None:
        """Note what a run is about to be created with. Raises RunEnded."""
        self._change(run, "queued", intent=intent.model_dump())

    def created(self, run: Run, handle: Handle) -> None:
        """Note where the run lives upstream. Raises RunEnded."""
        self._change(run, "in_progress", handle=handle.model_dump())

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
            place = f"CALL#{round_:04}#{_short(call.call_id)}"
            self._table.put(_partition(run.run_id), place, self._kept(run, _written(entry)))
        self._change(
            run,
            "in_progress",
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
            self._table.put(_partition(run.run_id), f"MESSAGE#{number:04}", self._kept(run, {"text": part}))
        return self._end(run, "completed", message.usage, message_parts=len(parts))

    def failed(self, run: Run, failure: Failure, usage: Usage) -> Run:
        """End the run without a message. Raises RunEnded."""
        return self._end(run, failure.status, usage, failure=failure.model_dump())

    def announced(self, run: Run) -> None:
        """Note that the ending of a run was announced otherwise than by the workflow."""
        self._table.change(_partition(run.run_id), "RUN", {"announced": True})

    def reopened(self, run: Run) -> Run:
        """Open the record of a run that has ended, for another attempt. Raises CannotRetry if it moved on.

        What was answered stays in the ledger. A conversation of the Agents API goes on; others begin anew.
        """
        going_on = run.handle if run.run_api == "agents" and run.handle else run.previous
        fields = {
            "status": "queued",
            **index_keys(run, "queued"),
            "attempt": run.attempt + 1,
            "previous": going_on.model_dump() if going_on else None,
            "intent": None,
            "handle": None,
            "failure": None,
            "ended_at": None,
            "announced": False,
        }
        place = (_partition(run.run_id), "RUN")
        if not self._table.change(*place, fields, status=run.status, attempt=run.attempt):
            raise CannotRetry(f"run {run.run_id} is being tried again already")
        return self.get(run.run_id)

    def message(self, run: Run) -> str | None:
        """The final message of a completed run, put together from its parts."""
        if run.status != "completed":
            return None
        parts = islice(self._items(run.run_id, "MESSAGE#"), run.message_parts)
        return "".join(str(part["text"]) for part in parts)

    def ledger(self, run_id: str) -> list[LedgerEntry]:
        """The tool calls of a run that were answered, round by round."""
        entries = (LedgerEntry.read(item) for item in self._items(run_id, "CALL#"))
        return sorted(entries, key=lambda entry: (entry.round, entry.position))

    def calls(self, run_id: str, limit: int, after: str | None = None) -> CallList:
        """A part of the ledger, round by round, and where the next begins."""
        found: list[LedgerEntry] = []
        size = 0
        for item in self._items(run_id, "CALL#", f"{after}\0" if after else ""):
            found.append(LedgerEntry.read(item))
            size += len(found[-1].output.output.encode())
            if len(found) == limit or size > MAX_CALLS_BYTES:
                last = found[-1]
                return CallList(
                    calls=tuple(found), next_cursor=f"{last.round:04}#{_short(last.call.call_id)}"
                )
        return CallList(calls=tuple(found))

    def _end(self, run: Run, status: EndStatus, usage: Usage, **fields: Any) -> Run:
        ended_at = datetime.now(UTC).isoformat()
        self._change(run, status, usage=(run.usage + usage).model_dump(), ended_at=ended_at, **fields)
        ended = self.get(run.run_id)
        metrics.run_ended(ended)
        return ended

    def _change(self, run: Run, status: Status, **fields: Any) -> None:
        """Set fields of a record that is still open, and still at the round that `run` shows."""
        place = (_partition(run.run_id), "RUN")
        fields |= {"status": status, **index_keys(run, status)}
        if not self._table.change(*place, fields, status=END_STATUSES, round=run.round):
            raise RunEnded(f"run {run.run_id} has ended or moved on")

    def _kept(self, run: Run, fields: Item) -> Item:
        """An item that leaves the table when its run does."""
        return {"expires_at": int((run.created_at + self._retention).timestamp()), **fields}

    def _items(self, run_id: str, prefix: str, after: str = "") -> Iterator[Item]:
        return self._table.between(_partition(run_id), f"{prefix}{after}", f"{prefix}\U0010ffff")


def no_such_run(run_id: str) -> NotFound:
    """What is said of a run that is not there, and of one that is not the caller's."""
    return NotFound(f"there is no run {run_id!r}")


def _partition(run_id: str) -> str:
    return f"RUN#{run_id}"


def _short(call_id: str) -> str:
    """A call's id as a part of a key, which DynamoDB bounds at 1,024 bytes; a server chooses its ids."""
    return call_id if len(call_id.encode()) <= 256 else hashlib.sha256(call_id.encode()).hexdigest()


def _written(model: Model) -> dict[str, Any]:
    return model.model_dump(mode="json", exclude_none=True)


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
