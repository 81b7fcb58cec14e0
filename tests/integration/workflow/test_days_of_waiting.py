"""A call may wait for days: that costs few transitions, and no function runs meanwhile."""

import json
from collections.abc import Iterator

import pytest
from support.notifications import Notifications, received_notifications
from support.open_calls import LOOKUP_TOOL
from support.runs import Runs
from support.simulated_days import SimulatedDays, simulated_days

from local.openai_emulator import Call, CallTools, Say
from local.stack import LocalStack

NOTIFY = CallTools((Call.of("notify", message="Hello."),))
DAY = 86_400
MAX_TRANSITIONS = 25
MAX_INVOCATIONS = 2
MAX_INVOCATION_SECONDS = 2.0


@pytest.fixture
def notifications(local_stack: LocalStack) -> Iterator[Notifications]:
    with received_notifications(local_stack) as received:
        yield received


@pytest.fixture
def days() -> Iterator[SimulatedDays]:
    with simulated_days() as simulated:
        yield simulated


def assert_waiting_was_cheap(runs: Runs, local_stack: LocalStack, run_id: str) -> None:
    """Few states were entered, and the function that lets a call wait was invoked seldom and for a moment."""
    function = local_stack.deployed.functions["WaitForAnswerFunction"].name
    events = {event["id"]: event for event in runs.history(run_id)}
    seconds = []
    for event in events.values():
        if event["type"] != "TaskSubmitted":
            continue
        scheduled = event
        while scheduled["type"] != "TaskScheduled":
            scheduled = events[scheduled["previousEventId"]]
        if function in scheduled["taskScheduledEventDetails"]["parameters"]:
            seconds.append((event["timestamp"] - scheduled["timestamp"]).total_seconds())
    assert len(runs.entered_states(run_id)) < MAX_TRANSITIONS
    assert len(seconds) <= MAX_INVOCATIONS
    assert max(seconds) < MAX_INVOCATION_SECONDS


def test_a_decision_after_three_days(
    runs: Runs, local_stack: LocalStack, days: SimulatedDays, notifications: Notifications
) -> None:
    limits = {"answer_seconds": 10 * DAY}
    run_id = runs.start_script(NOTIFY, Say("Done."), assistant="announcer", limits=limits)
    (call,) = runs.wait_for_open_calls(run_id)
    days.wait_for_days(3)
    assert runs.wait_for_open_calls(run_id) == [call]

    assert runs.decide(run_id, call).status_code == 200

    ended = runs.wait_for_end(run_id)
    assert (ended.run["status"], ended.outputs) == ("completed", ["The message was sent."])
    assert notifications.of_run(run_id) == ["Hello."]
    assert 3 * DAY < runs.list_calls(run_id)[0]["output"]["waited_seconds"] < 10 * DAY
    assert_waiting_was_cheap(runs, local_stack, run_id)


def test_nobody_decides_within_three_days(
    runs: Runs, local_stack: LocalStack, days: SimulatedDays, notifications: Notifications
) -> None:
    """Three days are the default."""
    started = days.now()
    run_id = runs.start_script(NOTIFY, Say("A pity."), assistant="announcer")
    (call,) = runs.wait_for_open_calls(run_id)

    ended = runs.wait_for_end(run_id)

    assert (days.now() - started).total_seconds() > 3 * DAY
    assert (ended.run["status"], ended.run["message"]) == ("completed", "A pity.")
    assert ended.outputs == [{"error": "Nobody approved the call of notify in time, so it was not made."}]
    late = runs.decide(run_id, call)
    assert late.status_code == 409
    assert "it is too late" in late.json()["detail"]
    assert notifications.of_run(run_id) == []
    (entry,) = runs.list_calls(run_id)
    assert "decision" not in entry
    assert_waiting_was_cheap(runs, local_stack, run_id)


def test_the_caller_of_a_run_gives_no_output_in_time(
    runs: Runs, local_stack: LocalStack, days: SimulatedDays
) -> None:
    calls = CallTools((Call.of("lookup", order=1), Call.of("lookup", order=2)))
    run_id = runs.start_script(calls, Say("A pity."), tools=[LOOKUP_TOOL])
    first, _ = runs.wait_for_open_calls(run_id, 2)
    days.wait_for_days(1)
    runs.give_outputs(run_id, {first["id"]: "one"})

    ended = runs.wait_for_end(run_id)

    error = "The call of lookup got no output in time. It may have had an effect."
    assert [json.dumps(output) for output in ended.outputs] == ['"one"', json.dumps({"error": error})]
    assert ended.run["message"] == "A pity."
