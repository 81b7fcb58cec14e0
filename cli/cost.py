"""Estimates what a run costs on AWS, from the history of its execution and from its items in the table.

The price of OpenAI's tokens is not included.
"""

from collections.abc import Mapping, Sequence
from math import ceil

import tools
from cli.execution_history import ExecutionUsage
from upcall.domain import aws_prices as prices
from upcall.domain.aws_cost import HTTP_REQUESTS, count_webhooks
from upcall.domain.run import Run
from upcall.domain.tool_calls import LedgerEntry

FINAL_EVENTS = 1

WRITES_PER_WEBHOOK = 3
"""The waiting task has between one and two kilobytes, the record of the message less than one."""

RECORD_WRITES_PER_ANSWER = 3
"""The record shows that a call waits, then that it does not, then that none does."""

ITEM_WRITES_PER_ANSWER = 3
"""A call that waits is written down, then that it was made known, then its answer. It has less than 1 KB."""

INDEX_WRITES_PER_ANSWER = 4
"""Two indexes have the status, which changes twice."""

RECORD_READS_PER_ANSWER = 2
ITEM_READS_PER_ANSWER = 4

REQUESTS_PER_QUEUE_MESSAGE = 3
"""A message is sent, received and deleted."""


def estimate_dollars(
    used: ExecutionUsage,
    memory_mb: Mapping[str, int],
    run: Run,
    ledger: Sequence[LedgerEntry],
    message: str | None,
) -> float:
    """The estimate for a run that has ended. `memory_mb` is by function name.

    Of a retried run, transitions and Lambda time are those of the last attempt, and rounds those of all.
    """
    gb_seconds = sum(each.seconds * memory_mb.get(each.function, 256) / 1024 for each in used.invocations)
    queue_messages = count_queue_messages(run)
    webhooks = count_webhooks(run)
    answers = count_answers(ledger)
    http_requests = HTTP_REQUESTS + webhooks + answers
    invocations = len(used.invocations) + http_requests + queue_messages
    return (
        used.transitions * prices.STATE_TRANSITION
        + gb_seconds * prices.LAMBDA_GB_SECOND_ARM64
        + invocations * prices.LAMBDA_REQUEST
        + count_write_units(run, ledger, message) * prices.DYNAMODB_WRITE_UNIT
        + count_read_units(run, ledger, message) * prices.DYNAMODB_READ_UNIT
        + http_requests * prices.HTTP_API_REQUEST
        + (FINAL_EVENTS + answers) * prices.EVENTBRIDGE_EVENT
        + queue_messages * REQUESTS_PER_QUEUE_MESSAGE * prices.SQS_REQUEST
    )


def count_write_units(run: Run, ledger: Sequence[LedgerEntry], message: str | None) -> int:
    """Write units of a run: its idempotency key, record, index entries, ledger and message."""
    intended, created = run.intent is not None, run.upstream_run is not None
    answers = count_answers(ledger)
    requested = run.round  # that the model asks for calls is written down before the round is
    record_writes = 1 + intended + created + requested + run.round + run.ended + run.event_published
    record_writes += answers * RECORD_WRITES_PER_ANSWER
    ledger_units = sum(_kilobytes(entry.model_dump_json()) for entry in ledger)
    idempotency_units = sum(1 + _kilobytes(entry.output.output) for entry in ledger if _is_once(entry))
    return (
        1  # the item of the idempotency key
        + record_writes * _kilobytes(run.model_dump_json(exclude_none=True))
        + count_index_writes(run)
        + ledger_units
        + idempotency_units
        + _kilobytes(message or "")
        + count_webhooks(run) * WRITES_PER_WEBHOOK
        + answers * (ITEM_WRITES_PER_ANSWER + INDEX_WRITES_PER_ANSWER)
    )


def count_index_writes(run: Run) -> int:
    """Writes to the three indexes. An entry has less than 1 KB.

    `runs_by_time` and `runs_by_owner` are written with every change of a projected attribute: when the record
    is added, gets the status in_progress, counts a round, and ends. An intent changes none. `open_runs` is
    written when the record is added, and its entry is deleted when the run ends.
    """
    created = run.upstream_run is not None
    list_entries = 1 + created + run.round + run.ended
    open_entries = 1 + run.ended
    return 2 * list_entries + open_entries


CONTROL_READS = 3
"""At the start: whether all runs are stopped, or those of the caller, and the caller's quota."""


def count_read_units(run: Run, ledger: Sequence[LedgerEntry], message: str | None) -> int:
    """Read units of a run.

    The record is read when the run is created, for each round, before and after the end is written, by GET,
    and by the function that gets a queue message. The message is read for the final event, by GET and for a
    callback. For each webhook, its message and the task that waits are looked up, and for each call that
    waits its record and the call, several times.
    """
    answers = count_answers(ledger)
    record_reads = 4 + run.round + count_queue_messages(run) + answers * RECORD_READS_PER_ANSWER
    message_reads = 2 + (run.callback_url is not None)
    units = (
        CONTROL_READS
        + record_reads * _read_units(run.model_dump_json(exclude_none=True))
        + message_reads * _read_units(message or "")
    )
    return units + 2 * count_webhooks(run) + answers * ITEM_READS_PER_ANSWER


def count_queue_messages(run: Run) -> int:
    """Messages in queues: one for a callback, one for `close_run` if the execution did not succeed."""
    return (run.callback_url is not None) + (run.status != "completed")


def count_answers(ledger: Sequence[LedgerEntry]) -> int:
    """Answers from outside: decisions, and outputs of the run's caller."""
    return sum(entry.output.waited_seconds is not None for entry in ledger)


def _is_once(entry: LedgerEntry) -> bool:
    """Whether the call was recorded in the table before and after it was made."""
    name = entry.call.name
    return name in tools.names() and tools.find(name).effect == "once"


def _kilobytes(text: str) -> int:
    return ceil(len(text.encode()) / 1024)


def _read_units(text: str) -> int:
    return ceil(_kilobytes(text) / 4)
