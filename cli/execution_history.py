"""Parses the history of an execution: the transitions and Lambda invocations of a run, which it costs on AWS.

Step Functions and the local stack return the same history.
"""

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

HistoryEvent = Mapping[str, Any]

END_INTERVAL_SECONDS = 0.05
END_TIMEOUT_SECONDS = 10


@dataclass
class Invocation:
    """One invocation of a Lambda function, with its duration in seconds."""

    function: str
    seconds: float


@dataclass
class ExecutionUsage:
    """What an execution has used so far."""

    invocations: list[Invocation] = field(default_factory=list)
    transitions: int = 0


def get_history(client: Any, execution_arn: str) -> Iterator[HistoryEvent]:
    """All events of an execution."""
    for page in client.get_paginator("get_execution_history").paginate(executionArn=execution_arn):
        yield from page["events"]


def get_whole_history(client: Any, execution_arn: str) -> Sequence[HistoryEvent]:
    """All events of an execution that has ended or is about to: the run ends first."""
    deadline = time.monotonic() + END_TIMEOUT_SECONDS
    while True:
        events = list(get_history(client, execution_arn))
        kind: str = events[-1]["type"] if events else ""
        if (kind.startswith("Execution") and kind != "ExecutionStarted") or time.monotonic() > deadline:
            return events
        time.sleep(END_INTERVAL_SECONDS)


def parse_history(events: Iterable[HistoryEvent]) -> ExecutionUsage:
    """What an execution has used. Each state entered and each retry of a task is a transition."""
    usage = ExecutionUsage()
    events_by_id: dict[int, HistoryEvent] = {}
    for event in events:
        events_by_id[event["id"]] = event
        kind: str = event["type"]
        if kind.endswith("StateEntered"):
            usage.transitions += 1
        elif kind == "TaskScheduled":
            previous = events_by_id.get(event["previousEventId"], {})
            usage.transitions += not str(previous.get("type")).endswith("StateEntered")  # a retry
        elif kind in ("TaskSucceeded", "TaskFailed", "TaskTimedOut"):
            _end_task(usage, event, events_by_id)
    return usage


def _end_task(usage: ExecutionUsage, event: HistoryEvent, events_by_id: Mapping[int, HistoryEvent]) -> None:
    scheduled = _find_scheduled_event(event, events_by_id)
    if scheduled is None:
        return
    details = scheduled["taskScheduledEventDetails"]
    if details["resourceType"] == "lambda":
        function = json.loads(details["parameters"])["FunctionName"].rpartition(":")[2]
        ended_at = _find_function_end(event, events_by_id)["timestamp"]
        usage.invocations.append(Invocation(function, (ended_at - scheduled["timestamp"]).total_seconds()))


def _find_function_end(event: HistoryEvent, events_by_id: Mapping[int, HistoryEvent]) -> HistoryEvent:
    """The event with which a task's function ended. A task that waits for its token may go on after that."""
    found: HistoryEvent | None = event
    while found is not None and found["type"] != "TaskScheduled":
        if found["type"] == "TaskSubmitted":
            return found
        found = events_by_id.get(found["previousEventId"])
    return event


def _find_scheduled_event(
    event: HistoryEvent, events_by_id: Mapping[int, HistoryEvent]
) -> HistoryEvent | None:
    """The TaskScheduled event of a task that has ended."""
    found: HistoryEvent | None = event
    while found is not None and found["type"] != "TaskScheduled":
        found = events_by_id.get(found["previousEventId"])
    return found
