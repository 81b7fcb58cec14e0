"""Looks through a cloud after a load for what was lost and what was done twice.

A run is lost that was not accepted, has no terminal record, no execution that has ended, or was not
announced; and one that completed without its message. Doubled is whatever is there once too often: a run
that nobody asked for, an execution, a ledger entry of one call, a message, an announcement.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3

from cli.backends.local_stack import RETENTION_DAYS
from cli.load_test.config import Sent
from upcall.aws.dynamodb import Table
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.errors import NotFound
from upcall.domain.run import Run

if TYPE_CHECKING:
    from local.cloudformation import Stack

SETTLE_SECONDS = 60
"""An execution ends a moment after its run: it has yet to announce it."""


@dataclass(frozen=True)
class Verdict:
    """What was lost and what was doubled, in words, by runs; a run may have several."""

    lost: Sequence[str]
    doubled: Sequence[str]


def settled(stack: "Stack") -> Mapping[str, Sequence[str]]:
    """The statuses of the executions that there are of each run, once none is running any more."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        found: dict[str, list[str]] = {}
        pages = boto3.client("stepfunctions").get_paginator("list_executions")
        for page in pages.paginate(stateMachineArn=stack.state_machine):
            for each in page["executions"]:
                found.setdefault(each["name"], []).append(each["status"])
        if time.monotonic() > deadline or not any("RUNNING" in statuses for statuses in found.values()):
            return found
        time.sleep(0.5)


@dataclass(frozen=True)
class Found:
    """All that a cloud has of a run; `parts` are of messages, `calls` the ledger by call."""

    run: Run | None
    message: str | None
    parts: int
    calls: Counter[str]
    executions: Sequence[str]
    announced: int


def audited(
    stack: "Stack",
    sent: Sequence[Sent],
    executions: Mapping[str, Sequence[str]],
    announced: Mapping[str, int],
) -> Verdict:
    """The verdict on a load: on each of its runs, and on all that nobody asked for."""
    table = Table(stack.dynamodb, stack.table)
    asked = Counter(each.run_id for each in sent if each.run_id is not None)
    lost = [f"not accepted: {each.trouble}" for each in sent if each.run_id is None]
    doubled = [f"{run_id}: nobody asked for it" for run_id in executions if run_id not in asked]
    doubled += [f"{run_id}: accepted for {times} requests" for run_id, times in asked.items() if times > 1]
    for run_id in asked:
        found = _found(table, run_id, executions.get(run_id, ()), announced.get(run_id, 0))
        lost += [f"{run_id}: {what}" for what in missing(found)]
        doubled += [f"{run_id}: {what}" for what in too_much(found)]
    return Verdict(lost, doubled)


def missing(found: Found) -> Iterator[str]:
    """What a run should have by the end of a load, and has not."""
    run = found.run
    if run is None:
        yield "has no record"
        return
    if not run.ended:
        yield f"is {run.status}"
    if run.status == "completed" and not found.message:
        yield "has no message"
    if found.calls.total() < run.tool_calls:
        yield "has calls that are not in the ledger"
    if set(found.executions) <= {"RUNNING"}:
        yield "has no execution that has ended"
    if not found.announced:
        yield "was not announced"


def too_much(found: Found) -> Iterator[str]:
    """What there is of a run once too often."""
    if found.run is not None and found.parts > found.run.message_parts:
        yield "has a message beside its own"
    for call, times in found.calls.items():
        if times > 1:
            yield f"has {call} {times} times in the ledger"
    if found.run is not None and found.calls.total() > found.run.tool_calls:
        yield "has calls in the ledger that are none of its rounds"
    if len(found.executions) > 1:
        yield f"has {len(found.executions)} executions"
    if found.announced > 1:
        yield f"was announced {found.announced} times"


def _found(table: Table, run_id: str, executions: Sequence[str], announced: int) -> Found:
    store = DynamoDBRunRepository(table, RETENTION_DAYS)
    calls = Counter(entry.call.call_id for entry in store.get_ledger(run_id))
    parts = sum(1 for _ in table.query(f"RUN#{run_id}", "MESSAGE#", "MESSAGE#~"))
    try:
        run = store.get_run(run_id)
    except NotFound:
        return Found(None, None, parts, calls, executions, announced)
    return Found(run, store.get_message(run), parts, calls, executions, announced)
