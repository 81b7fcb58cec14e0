"""What the history of an execution tells: where a run is, its tool calls, transitions, Lambda time.

Step Functions keeps the same history on AWS and on the laptop, so this reads either.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Event = Mapping[str, Any]

HIDDEN = ("Tool failed", "Done", "Failed")
"""Like states that decide, whose names are questions, these take no time worth a line."""

CALLS = ("Call tool", "Refuse call")
"""The states of one tool call."""


@dataclass
class ToolCallProgress:
    """A tool call as the history tells it."""

    call_id: str
    name: str
    arguments: str
    since: datetime
    until: datetime | None = None
    outcome: str | None = None
    output: str = ""


@dataclass
class Visit:
    """A state that a run has been in, once or several times in a row; with its calls, if it makes any."""

    state: str
    since: datetime
    until: datetime | None = None
    times: int = 1
    trouble: str | None = None
    calls: dict[str, ToolCallProgress] = field(default_factory=dict)


@dataclass
class Invocation:
    """One invocation of a Lambda function, with its duration in seconds."""

    function: str
    seconds: float


@dataclass
class Progress:
    """A run, as far as it has come."""

    visits: list[Visit] = field(default_factory=list)
    invocations: list[Invocation] = field(default_factory=list)
    transitions: int = 0
    ended: bool = False


def progress(told_events: Iterable[Event]) -> Progress:
    """The progress that a history tells. A transition is a state entered, or a task tried again."""
    told = Progress()
    known: dict[int, Event] = {}
    for event in told_events:
        known[event["id"]] = event
        kind: str = event["type"]
        if kind.endswith("StateEntered"):
            told.transitions += 1
            _entered(told, event)
        elif kind.endswith("StateExited"):
            _exited(told, event)
        elif kind == "TaskScheduled":
            _scheduled(told, event, known)
        elif kind in ("TaskSucceeded", "TaskFailed", "TaskTimedOut"):
            _finished(told, event, known)
        elif kind.startswith("Execution") and kind != "ExecutionStarted":
            told.ended = True
    return told


def _entered(told: Progress, event: Event) -> None:
    details = event["stateEnteredEventDetails"]
    state, now = details["name"], event["timestamp"]
    if state in CALLS:
        _calls(told)[json.loads(details["input"])["call"]["call_id"]].since = now
    elif not state.endswith("?") and state not in HIDDEN:
        last = told.visits[-1] if told.visits else None
        if last and {last.state, state} <= {"Poll run", "Pause"}:
            last.until, last.times = None, last.times + (state == "Poll run")
        else:
            told.visits.append(Visit(state, now))
    if state == "Call tools":  # all at once, in the order in which the model asked
        for call in json.loads(details["input"])["tool_calls"]:
            _calls(told)[call["call_id"]] = ToolCallProgress(since=now, **call)


def _exited(told: Progress, event: Event) -> None:
    details = event["stateExitedEventDetails"]
    state, now = details["name"], event["timestamp"]
    if state in CALLS:
        output = json.loads(details["output"])
        call = _calls(told)[output["call_id"]]
        call.until, call.outcome, call.output = now, output["outcome"], output["output"]
    elif told.visits and told.visits[-1].state == state:
        told.visits[-1].until, told.visits[-1].trouble = now, None


def _calls(told: Progress) -> dict[str, ToolCallProgress]:
    """The calls of the round that the run is in."""
    return told.visits[-1].calls


def _scheduled(told: Progress, event: Event, known: Mapping[int, Event]) -> None:
    before = known.get(event["previousEventId"], {})
    if not str(before.get("type")).endswith("StateEntered"):
        told.transitions += 1


def _finished(told: Progress, event: Event, known: Mapping[int, Event]) -> None:
    scheduled = _origin(event, known)
    if scheduled is None:
        return
    details = scheduled["taskScheduledEventDetails"]
    if details["resourceType"] == "lambda":
        name = json.loads(details["parameters"])["FunctionName"].rpartition(":")[2]
        seconds = (event["timestamp"] - scheduled["timestamp"]).total_seconds()
        told.invocations.append(Invocation(name, seconds))
    if event["type"] == "TaskFailed" and told.visits:
        told.visits[-1].trouble = _trouble(event["taskFailedEventDetails"])


def _origin(event: Event, known: Mapping[int, Event]) -> Event | None:
    """The TaskScheduled event behind the end of a task."""
    found: Event | None = event
    while found is not None and found["type"] != "TaskScheduled":
        found = known.get(found["previousEventId"])
    return found


def _trouble(details: Mapping[str, str]) -> str:
    try:
        cause = json.loads(details.get("cause", ""))["errorMessage"]
    except (ValueError, TypeError, KeyError):
        cause = details.get("cause", "")
    return f"{details.get('error')}: {cause}"


def events(client: Any, execution_arn: str) -> Iterator[Event]:
    """All events of an execution."""
    for page in client.get_paginator("get_execution_history").paginate(executionArn=execution_arn):
        yield from page["events"]
