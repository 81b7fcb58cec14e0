"""A run repository without DynamoDB."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from math import ceil
from typing import Any

from support.fakes.clock import START
from upcall.aws.run_repository import EXCERPT_CHARACTERS, MESSAGE_PART_BYTES, split_message
from upcall.domain import run_log
from upcall.domain.caller import no_such_run
from upcall.domain.errors import RunAlreadyEnded, RunNotRetryable
from upcall.domain.failure import Failure
from upcall.domain.idempotency_claim import IdempotencyClaim
from upcall.domain.json_size import json_bytes
from upcall.domain.message_text import StoredPiece
from upcall.domain.open_calls import CallAnswer, OpenCall
from upcall.domain.quota import NO_QUOTA, CallerUsage, Counted, Quota, QuotaSetting, check_quota, day_of
from upcall.domain.run import Run, Updates, run_id_prefix
from upcall.domain.run_log import Log, LogEntry
from upcall.domain.status import Status, TerminalStatus
from upcall.domain.stop import Controls, Stop
from upcall.domain.tool_calls import LedgerEntry, ToolCall, tool_ms, waited_seconds
from upcall.domain.upstream_run import Message, UpstreamRun
from upcall.domain.usage import NO_USAGE, Usage
from upcall.domain.views import MAX_CALLS_BYTES, CallList, RunList, RunSummary
from upcall.domain.waiting_task import WaitingTask


class InMemoryRunRepository:
    """Implements RunRepository. Passes the same contract suite as DynamoDBRunRepository."""

    def __init__(self, now: Callable[[], datetime] = lambda: START) -> None:
        self._now = now
        self._runs: dict[str, Run] = {}
        self._claims: dict[tuple[str, str], IdempotencyClaim] = {}
        self._ledgers: defaultdict[str, dict[str, LedgerEntry]] = defaultdict(dict)
        self._messages: dict[tuple[str, int], str] = {}
        self._waiting: dict[str, WaitingTask] = {}
        self._webhooks: dict[str, datetime] = {}
        self._open_calls: dict[tuple[str, int, str], OpenCall] = {}
        self._pieces: defaultdict[str, dict[int, StoredPiece]] = defaultdict(dict)
        self.stops: list[Stop] = []
        self.quotas: dict[str, QuotaSetting] = {}
        self.days: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self.open_runs: Counter[str] = Counter()

    def claim_idempotency_key(self, key: str, run: Run, fingerprint: str) -> IdempotencyClaim:
        """See RunRepository."""
        claim = IdempotencyClaim(run_id=run.run_id, fingerprint=fingerprint)
        return self._claims.setdefault((run.owner, key), claim)

    def get_controls(self, owner: str, batch_id: str | None = None) -> Controls:
        """See RunRepository. `stops` and `quotas` are what an operator has set."""
        matching = {("all", ""), ("caller", owner), ("batch", batch_id)}
        stops = [stop for stop in self.stops if (stop.scope, stop.name) in matching]
        return Controls(stops=tuple(stops), setting=self.quotas.get(owner))

    def add_run(self, run: Run, quota: Quota = NO_QUOTA) -> Run:
        """See RunRepository."""
        if run.run_id not in self._runs:
            counted = self._count_start(run, quota, run.created_at)
            log = run_log.queued(run.created_at, run.attempt)
            self._runs[run.run_id] = counted.model_copy(update={"log": log})
        return self._runs[run.run_id]

    def settle_run(self, run: Run) -> Run:
        """See RunRepository."""
        current = self._runs[run.run_id]
        settled = current.unsettled
        if settled is None or current.attempt != run.attempt:
            return current
        used = settled.since(current.settled)
        day = self.days[current.owner, current.counted.day] if current.counted else Counter()
        day.update(tokens=used.tokens, usd=used.usd)
        if current.counted and current.counted.concurrent:
            self.open_runs[current.owner] -= 1
        return self._replace(current, {"settled": settled})

    def get_run(self, run_id: str) -> Run:
        """See RunRepository."""
        if run_id not in self._runs:
            raise no_such_run(run_id)
        return self._runs[run_id]

    def record_intent(self, run: Run, intent: UpstreamRun) -> None:
        """See RunRepository."""
        self._update(run, status="queued", intent=intent)

    def record_creation(
        self, run: Run, upstream_run: UpstreamRun, updates: Updates, usage: Usage = NO_USAGE
    ) -> None:
        """See RunRepository."""
        fields = {"upstream_run": upstream_run, "updates": updates, "usage": run.usage + usage}
        self._update(run, status="in_progress", added=run_log.in_progress(self._now()), **fields)

    def record_pause(self, run_id: str, reason: str, seconds: float) -> None:
        """See RunRepository."""
        run = self._runs.get(run_id)
        if run and not run.ended and run.pauses < run_log.MAX_PAUSES:
            added = run_log.paused(self._now(), reason, seconds)
            self._replace(run, {"pauses": run.pauses + 1, "log": run.log + added})

    def record_requested_calls(
        self, run_id: str, round_number: int, calls: Sequence[ToolCall], calls_before: int
    ) -> None:
        """See RunRepository."""
        run = self._runs.get(run_id)
        if run and not run.ended and run.round == round_number - 1 and run.requested_round < round_number:
            added = run_log.requires_action(self._now(), round_number, calls, calls_before)
            self._replace(run, {"requested_round": round_number, "log": run.log + added})

    def add_waiting_task(self, webhook_id: str, task: WaitingTask) -> None:
        """See RunRepository."""
        self._waiting[webhook_id] = task

    def get_waiting_task(self, webhook_id: str) -> WaitingTask | None:
        """See RunRepository."""
        return self._waiting.get(webhook_id)

    def has_webhook(self, message_id: str) -> bool:
        """See RunRepository."""
        return message_id in self._webhooks

    def record_webhook(self, message_id: str, now: datetime) -> None:
        """See RunRepository."""
        self._webhooks[message_id] = now

    def record_round(
        self, run: Run, upstream_run: UpstreamRun, answers: Sequence[LedgerEntry], usage: Usage
    ) -> None:
        """See RunRepository."""
        for entry in answers:
            self._ledgers[run.run_id][_cursor(entry)] = entry
        self._update(
            run,
            status="in_progress",
            upstream_run=upstream_run,
            round=run.round + 1,
            tool_calls=run.tool_calls + len(answers),
            tool_ms=run.tool_ms + tool_ms(answers),
            waited_seconds=run.waited_seconds + waited_seconds(answers),
            usage=run.usage + usage,
            waiting_calls=frozenset(),
            added=run_log.round_ended(self._now(), answers, run.log, run.round + 1, usage),
        )

    def open_call(self, run: Run, call: OpenCall) -> OpenCall:
        """See RunRepository."""
        key = (run.run_id, run.attempt, call.id)
        known = self._open_calls.get(key)
        if known is None:
            waiting_calls = self.get_run(run.run_id).waiting_calls | {call.entry}
            added = run_log.waiting(call, run.log)
            self._update(run, status="requires_action", waiting_calls=waiting_calls, added=added)
            self._open_calls[key] = call
        elif known.answer is None:
            self._open_calls[key] = known.model_copy(update={"task_token": call.task_token})
        return self._open_calls[key]

    def list_open_calls(self, run: Run) -> list[OpenCall]:
        """See RunRepository."""
        calls = [call for key, call in self._open_calls.items() if key[:2] == (run.run_id, run.attempt)]
        return sorted(calls, key=lambda call: (call.round, call.position))

    def get_open_call(self, run: Run, call_id: str) -> OpenCall | None:
        """See RunRepository."""
        return self._open_calls.get((run.run_id, run.attempt, call_id))

    def mark_call_published(self, run: Run, call: OpenCall) -> None:
        """See RunRepository."""
        self._change_call(run, call, event_published=True)

    def answer_call(self, run: Run, call: OpenCall, answer: CallAnswer) -> OpenCall:
        """See RunRepository."""
        key = (run.run_id, run.attempt, call.id)
        if self._open_calls[key].answer is None:
            self._change_call(run, call, answer=answer)
        return self._open_calls[key]

    def close_call(self, run: Run, call: OpenCall) -> None:
        """See RunRepository."""
        current = self._runs[run.run_id]
        expected = ("requires_action", run.attempt, call.round - 1)
        if (current.status, current.attempt, current.round) == expected:
            is_open = call.entry in current.waiting_calls
            log = current.log + (run_log.answered(call, run.log) if is_open else ())
            waiting = current.waiting_calls - {call.entry}
            status = "requires_action" if waiting else "in_progress"
            self._replace(current, {"waiting_calls": waiting, "status": status, "log": log})

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
        current = self._runs[run.run_id]
        if current.attempt == run.attempt:
            self._runs[run.run_id] = current.model_copy(update={"event_published": True})

    def reopen_run(
        self,
        run: Run,
        previous_upstream_run: UpstreamRun | None,
        quota: Quota = NO_QUOTA,
        now: datetime | None = None,
    ) -> Run:
        """See RunRepository."""
        current = self._runs[run.run_id]
        if (current.status, current.attempt) != (run.status, run.attempt):
            raise RunNotRetryable(f"run {run.run_id} is being retried already")
        counted = self._count_start(current, quota, now or run.created_at).counted
        fields = {
            "status": "queued",
            "attempt": run.attempt + 1,
            "previous_upstream_run": previous_upstream_run,
            "intent": None,
            "upstream_run": None,
            "failure": None,
            "ended_at": None,
            "message_parts": 0,
            "event_published": False,
            "counted": counted,
            "log": current.log + run_log.queued(now or self._now(), run.attempt + 1),
        }
        return self._replace(current, fields)

    def get_message(self, run: Run) -> str | None:
        """See RunRepository."""
        if run.status != "completed" and not run.message_parts:
            return None
        return self._messages[run.run_id, run.attempt]

    def get_message_part(self, run: Run, number: int) -> str | None:
        """See RunRepository."""
        if number >= run.message_parts:
            return None
        return list(split_message(self._messages[run.run_id, run.attempt]))[number]

    def get_last_piece(self, run_id: str) -> StoredPiece | None:
        """See RunRepository."""
        pieces = self._pieces[run_id]
        return pieces[max(pieces)] if pieces else None

    def add_piece(self, run_id: str, piece: StoredPiece) -> bool:
        """See RunRepository."""
        return self._pieces[run_id].setdefault(piece.number, piece) is piece

    def list_pieces(self, run_id: str, after: int, limit: int) -> list[StoredPiece]:
        """See RunRepository."""
        later = (piece for number, piece in sorted(self._pieces[run_id].items()) if number > after)
        return list(islice(later, limit))

    def get_ledger(self, run_id: str) -> list[LedgerEntry]:
        """See RunRepository."""
        return [entry for _, entry in sorted(self._ledgers[run_id].items())]

    def list_calls(self, run_id: str, limit: int, cursor: str | None = None) -> CallList:
        """See RunRepository."""
        calls: list[LedgerEntry] = []
        size = 0
        for key, entry in sorted(self._ledgers[run_id].items()):
            if cursor is not None and key <= cursor:
                continue
            calls.append(entry)
            size += json_bytes(entry.model_dump_json())
            if len(calls) == limit or size > MAX_CALLS_BYTES:
                return CallList(calls=tuple(calls), next_cursor=key)
        return CallList(calls=tuple(calls))

    def list_runs(
        self, *, owner: str | None, status: Status | None, limit: int, cursor: str | None = None
    ) -> RunList:
        """See RunRepository."""
        runs: list[RunSummary] = []
        for run_id, run in sorted(self._runs.items(), reverse=True):
            if cursor is not None and run_id >= cursor:
                continue
            if owner in (None, run.owner) and status in (None, run.status):
                runs.append(_summary(run))
            if len(runs) == limit:
                return RunList(runs=tuple(runs), next_cursor=run_id)
        return RunList(runs=tuple(runs))

    def list_open_runs(self, created_before: datetime) -> Iterator[str]:
        """See RunRepository."""
        end = run_id_prefix(created_before)
        return iter([run_id for run_id, run in sorted(self._runs.items()) if not run.ended and run_id < end])

    def replace_log(self, run: Run, log: Sequence[LogEntry]) -> None:
        """Give a run another log, if there is a run."""
        if run.run_id in self._runs:
            self._replace(self._runs[run.run_id], {"log": tuple(log)})

    def delete_run(self, run_id: str) -> None:
        """Delete the record of a run, as DynamoDB does when its retention is over."""
        del self._runs[run_id]

    def _count_start(self, run: Run, quota: Quota, now: datetime) -> Run:
        if not quota.limits:
            return run.model_copy(update={"counted": None})
        day = self.days[run.owner, day_of(now)]
        concurrent = quota.concurrent is not None
        check_quota(quota, CallerUsage(**day, concurrent=self.open_runs[run.owner]), now)
        day.update(runs=1)
        self.open_runs[run.owner] += concurrent
        return run.model_copy(update={"counted": Counted(day=day_of(now), concurrent=concurrent)})

    def _end(
        self,
        run: Run,
        status: TerminalStatus,
        usage: Usage,
        ended_at: datetime,
        text: str,
        failure: Failure | None = None,
    ) -> Run:
        parts = ceil(len(text.encode()) / MESSAGE_PART_BYTES)
        ended = self._update(
            run,
            status=status,
            usage=run.usage + usage,
            ended_at=ended_at,
            message_parts=parts,
            waiting_calls=frozenset(),
            failure=failure,
            added=run_log.ended(ended_at, status, run.usage + usage, len(text), failure),
        )
        self._messages[run.run_id, run.attempt] = text
        return ended

    def _change_call(self, run: Run, call: OpenCall, **fields: Any) -> None:
        key = (run.run_id, run.attempt, call.id)
        self._open_calls[key] = self._open_calls[key].model_copy(update=fields)

    def _update(self, run: Run, added: Log = (), **fields: Any) -> Run:
        """Change a record that is open, and still at the attempt and round of `run`, and add to its log."""
        current = self._runs.get(run.run_id)
        if current is None or current.ended or _position(current) != _position(run):
            raise RunAlreadyEnded(f"run {run.run_id} has ended or moved on")
        return self._replace(current, {**fields, "log": current.log + added})

    def _replace(self, run: Run, fields: dict[str, Any]) -> Run:
        self._runs[run.run_id] = changed = run.model_copy(update=fields)
        return changed


def _position(run: Run) -> tuple[int, int]:
    return run.attempt, run.round


def _cursor(entry: LedgerEntry) -> str:
    return f"{entry.round:04}#{entry.position:04}"


def _summary(run: Run) -> RunSummary:
    fields = run.model_dump(include=set(RunSummary.model_fields))
    excerpt = " ".join(run.last_input.split())[:EXCERPT_CHARACTERS]
    return RunSummary.model_validate({**fields, "excerpt": excerpt})
