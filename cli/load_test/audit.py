"""Audits a local stack after a load test: which runs were lost, and what exists more often than it should.

A run is lost if it was not accepted, has no terminal status, no ended execution or no published event, or if
it is completed without a message. A duplicate is a run that nobody started, a second execution, ledger entry,
message or event.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3

from cli.backends.local_stack import RETENTION_DAYS
from cli.load_test.runner import RunResult
from upcall.aws.dynamodb import Table
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.errors import NotFound
from upcall.domain.run import Run

if TYPE_CHECKING:
    from local.cloudformation import DeployedTemplate

EXECUTION_END_TIMEOUT_SECONDS = 60
"""An execution ends shortly after its run, because it publishes the event first."""

POLL_INTERVAL_SECONDS = 0.5


@dataclass(frozen=True)
class AuditResult:
    """Descriptions of what was lost and what is duplicate. A run may have several.

    `pushed` counts the runs that waited for webhooks.
    """

    lost: Sequence[str]
    duplicates: Sequence[str]
    pushed: int


@dataclass(frozen=True)
class RunEvidence:
    """Everything that a stack holds of one run.

    `message_items` counts the items of messages in the table, `calls` the ledger entries of each call.
    """

    run: Run | None
    message: str | None
    message_items: int
    calls: Counter[str]
    executions: Sequence[str]
    events: int


def wait_for_executions(stack: "DeployedTemplate") -> Mapping[str, Sequence[str]]:
    """The statuses of the executions, by their names, when none is running any more."""
    deadline = time.monotonic() + EXECUTION_END_TIMEOUT_SECONDS
    while True:
        statuses: dict[str, list[str]] = {}
        pages = boto3.client("stepfunctions").get_paginator("list_executions")
        for page in pages.paginate(stateMachineArn=stack.state_machine):
            for execution in page["executions"]:
                statuses.setdefault(execution["name"], []).append(execution["status"])
        if time.monotonic() > deadline or not any("RUNNING" in each for each in statuses.values()):
            return statuses
        time.sleep(POLL_INTERVAL_SECONDS)


def audit_runs(
    stack: "DeployedTemplate",
    results: Sequence[RunResult],
    executions: Mapping[str, Sequence[str]],
    events: Mapping[str, int],
) -> AuditResult:
    """Audit every run of a load test, and every execution. `events` counts final events by run."""
    table = Table(stack.dynamodb, stack.table)
    accepted = Counter(each.run_id for each in results if each.run_id is not None)
    lost = [f"not accepted: {each.error}" for each in results if each.run_id is None]
    duplicates = [f"{run_id}: nobody started it" for run_id in executions if run_id not in accepted]
    duplicates += [
        f"{run_id}: returned for {times} requests" for run_id, times in accepted.items() if times > 1
    ]
    pushed = 0
    for run_id in accepted:
        evidence = _collect(table, run_id, executions.get(run_id, ()), events.get(run_id, 0))
        lost += [f"{run_id}: {finding}" for finding in find_losses(evidence)]
        duplicates += [f"{run_id}: {finding}" for finding in find_duplicates(evidence)]
        pushed += evidence.run is not None and evidence.run.updates == "pushed"
    return AuditResult(lost, duplicates, pushed)


def find_losses(evidence: RunEvidence) -> Iterator[str]:
    """What a run should have, and has not."""
    run = evidence.run
    if run is None:
        yield "has no record"
        return
    if not run.ended:
        yield f"is {run.status}"
    if run.status == "completed" and not evidence.message:
        yield "has no message"
    if evidence.calls.total() < run.tool_calls:
        yield "has calls that are not in the ledger"
    if set(evidence.executions) <= {"RUNNING"}:
        yield "has no execution that has ended"
    if not evidence.events:
        yield "has no published event"


def find_duplicates(evidence: RunEvidence) -> Iterator[str]:
    """What a run has more often than it should."""
    run = evidence.run
    if run is not None and evidence.message_items > run.message_parts:
        yield "has parts of a second message"
    for call, times in evidence.calls.items():
        if times > 1:
            yield f"has {call} {times} times in the ledger"
    if run is not None and evidence.calls.total() > run.tool_calls:
        yield "has calls in the ledger that its record does not count"
    if len(evidence.executions) > 1:
        yield f"has {len(evidence.executions)} executions"
    if evidence.events > 1:
        yield f"has {evidence.events} published events"


def _collect(table: Table, run_id: str, executions: Sequence[str], events: int) -> RunEvidence:
    repository = DynamoDBRunRepository(table, RETENTION_DAYS)
    calls = Counter(entry.call.call_id for entry in repository.get_ledger(run_id))
    message_items = sum(1 for _ in table.query(f"RUN#{run_id}", "MESSAGE#", "MESSAGE#~"))
    try:
        run = repository.get_run(run_id)
    except NotFound:
        return RunEvidence(None, None, message_items, calls, executions, events)
    return RunEvidence(run, repository.get_message(run), message_items, calls, executions, events)
