"""Parses the history of an execution: states, tool calls, transitions and Lambda invocations of a run.

Step Functions and the local stack return the same history.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil
from typing import Any

HistoryEvent = Mapping[str, Any]

HIDDEN_STATES = ("Answered", "Done", "Failed")
"""States that are not shown, because they take no time. Choices, whose names end with "?", are not either."""

CALL_STATE = "Call tool"
"""The state that runs the function of one tool call, and has its output if the function gave one."""

WAIT_STATE = "Wait for answer"
"""The state of a call that waits for an approval, or for an output of the run's caller."""

ANSWERED_STATE = "Answered"
"""The state that has the output of a call whose function gave none."""

APPROVAL_REQUIRED = "ApprovalRequired"
"""The error of a tool's function whose call waits for an approval. It is no failure."""

REQUEST_STATES = ("Create run", "Poll run", "Submit tool outputs", "Wait for change")
"""The states whose requests to the OpenAI server are repeated by the workflow."""

POLL_STATES = ("Poll run", "Wait for change")
"""Those that look whether a run has changed."""


@dataclass
class ToolCallProgress:
    """A tool call and, if it has ended, its outcome. `waits` says that somebody has to answer it."""

    call_id: str
    name: str
    arguments: str
    started_at: datetime
    ended_at: datetime | None = None
    outcome: str | None = None
    output: str = ""
    waits: bool = False


@dataclass
class StateProgress:
    """A state that the run has entered, once or several times in a row, with the tool calls made in it.

    `error` is that of a task that failed and will be retried, or of a server that will be asked again.
    """

    name: str
    started_at: datetime
    ended_at: datetime | None = None
    times: int = 1
    error: str | None = None
    calls: dict[str, ToolCallProgress] = field(default_factory=dict)


@dataclass
class Invocation:
    """One invocation of a Lambda function, with its duration in seconds."""

    function: str
    seconds: float


@dataclass
class RunProgress:
    """A run as far as its execution has come."""

    states: list[StateProgress] = field(default_factory=list)
    invocations: list[Invocation] = field(default_factory=list)
    transitions: int = 0
    ended: bool = False

    @property
    def waits(self) -> bool:
        """Whether a call waits for an answer from outside."""
        return any(call.waits for state in self.states[-1:] for call in state.calls.values())


def get_history(client: Any, execution_arn: str) -> Iterator[HistoryEvent]:
    """All events of an execution."""
    for page in client.get_paginator("get_execution_history").paginate(executionArn=execution_arn):
        yield from page["events"]


def parse_history(events: Iterable[HistoryEvent]) -> RunProgress:
    """The progress of a run. Each state entered and each retry of a task is a transition."""
    progress = RunProgress()
    events_by_id: dict[int, HistoryEvent] = {}
    for event in events:
        events_by_id[event["id"]] = event
        kind: str = event["type"]
        if kind.endswith("StateEntered"):
            progress.transitions += 1
            _enter_state(progress, event)
        elif kind.endswith("StateExited"):
            _exit_state(progress, event)
        elif kind == "TaskScheduled":
            _schedule_task(progress, event, events_by_id)
        elif kind in ("TaskSucceeded", "TaskFailed", "TaskTimedOut"):
            _end_task(progress, event, events_by_id)
        elif kind.startswith("Execution") and kind != "ExecutionStarted":
            progress.ended = True
    return progress


def _enter_state(progress: RunProgress, event: HistoryEvent) -> None:
    details = event["stateEnteredEventDetails"]
    name, now = details["name"], event["timestamp"]
    if name in (CALL_STATE, WAIT_STATE):
        call_progress = _current_calls(progress)[json.loads(details["input"])["call"]["call_id"]]
        call_progress.waits = name == WAIT_STATE
        if name == CALL_STATE:
            call_progress.started_at = now
    elif not name.endswith("?") and name not in HIDDEN_STATES:
        last = progress.states[-1] if progress.states else None
        if last and {last.name, name} <= {*POLL_STATES, "Pause"}:
            last.name = name if last.name == "Pause" else last.name
            last.ended_at, last.times = None, last.times + (name != "Pause")
        else:
            progress.states.append(StateProgress(name, now))
    if name == "Call tools":  # list all calls at once, in the order of the model's request
        for call in json.loads(details["input"])["tool_calls"]:
            _current_calls(progress)[call["call_id"]] = ToolCallProgress(started_at=now, **call)


def _exit_state(progress: RunProgress, event: HistoryEvent) -> None:
    details = event["stateExitedEventDetails"]
    name, now = details["name"], event["timestamp"]
    if name in (CALL_STATE, ANSWERED_STATE):
        output = json.loads(details["output"])
        if "outcome" in output:  # otherwise the call goes on in another state
            call = _current_calls(progress)[output["call_id"]]
            call.ended_at, call.outcome, call.output = now, output["outcome"], output["output"]
            call.waits = False
    elif progress.states and progress.states[-1].name == name:
        state = progress.states[-1]
        state.ended_at = now
        state.error = _format_upstream_error(details["output"]) if name in REQUEST_STATES else None
        if name in POLL_STATES and state.error is None and len(progress.states) > 1:
            progress.states[-2].error = None  # the run was found to be at work in spite of it


def _format_upstream_error(output: str) -> str | None:
    """The server's words, and what is done about them; None if no request to it is to be repeated."""
    fields = json.loads(output)
    errors = fields.get("errors") if isinstance(fields, dict) else None
    if not isinstance(errors, dict) or not errors.get("last"):
        return None
    if fields.get("failure") and not fields.get("repeat"):
        return None
    number = errors["count"] or errors["failed_turns"]
    pause = ceil(fields.get("pause_seconds") or 0)
    if not errors["count"] and not pause:  # a turn failed before, and this one is at work
        return None
    when = f"trying again in {pause} s" if pause else "trying again"
    return f"{errors['last']} ({f'error {number}, ' if number else ''}{when})"


def _current_calls(progress: RunProgress) -> dict[str, ToolCallProgress]:
    """The calls of the round that the run is in."""
    return progress.states[-1].calls


def _schedule_task(
    progress: RunProgress, event: HistoryEvent, events_by_id: Mapping[int, HistoryEvent]
) -> None:
    """Count a transition if this is a retry."""
    previous = events_by_id.get(event["previousEventId"], {})
    if not str(previous.get("type")).endswith("StateEntered"):
        progress.transitions += 1


def _end_task(progress: RunProgress, event: HistoryEvent, events_by_id: Mapping[int, HistoryEvent]) -> None:
    scheduled = _find_scheduled_event(event, events_by_id)
    if scheduled is None:
        return
    details = scheduled["taskScheduledEventDetails"]
    if details["resourceType"] == "lambda":
        function = json.loads(details["parameters"])["FunctionName"].rpartition(":")[2]
        ended_at = _find_function_end(event, events_by_id)["timestamp"]
        progress.invocations.append(Invocation(function, (ended_at - scheduled["timestamp"]).total_seconds()))
    if event["type"] == "TaskFailed" and progress.states:
        failure = event["taskFailedEventDetails"]
        if failure.get("error") != APPROVAL_REQUIRED:
            progress.states[-1].error = _format_error(failure)


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


def _format_error(details: Mapping[str, str]) -> str:
    """Error and cause. The cause of a function's error is a JSON document."""
    try:
        cause = json.loads(details.get("cause", ""))["errorMessage"]
    except (ValueError, TypeError, KeyError):
        cause = details.get("cause", "")
    return f"{details.get('error')}: {cause}"
