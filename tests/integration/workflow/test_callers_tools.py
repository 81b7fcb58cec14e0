"""The caller of a run answers calls of its own tools. Everything over HTTP, from outside."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from support.event_listener import EventListener
from support.notifications import Notifications, received_notifications
from support.open_calls import LOOKUP_TOOL
from support.runs import Runs

from local.openai_emulator import Call, CallTools, Say
from local.stack import LocalStack

LOOKUP = Call.of("lookup", order=4711)
DONE = Say("Done.")
TOOLS: dict[str, Any] = {"tools": [LOOKUP_TOOL]}

every_api = pytest.mark.parametrize("api", ["responses", "assistants", "agents"])


@pytest.fixture
def notifications(local_stack: LocalStack) -> Iterator[Notifications]:
    with received_notifications(local_stack) as received:
        yield received


@every_api
def test_a_run_needs_its_caller_and_get_returns_at_once(runs: Runs, api: str) -> None:
    started = time.monotonic()
    run_id = runs.start_script(CallTools((LOOKUP,)), DONE, run_api=api, **TOOLS)

    run = runs.http.get(f"/runs/{run_id}?wait=25", timeout=30).json()

    assert time.monotonic() - started < 20
    assert run["status"] == "requires_action"
    (call,) = run["open_calls"]
    assert (call["waits_for"], call["name"], json.loads(call["arguments"])) == (
        "output",
        "lookup",
        {"order": 4711},
    )
    answered = runs.give_outputs(run_id, {call["call_id"]: "It is on its way. 😀"})
    assert (answered.status_code, answered.json()["open_calls"]) == (200, [])
    ended = runs.wait_for_end(run_id)
    assert (ended.run["status"], ended.run["message"]) == ("completed", "Done.")
    assert ended.outputs == ["It is on its way. 😀"]


@every_api
def test_in_a_mixed_round_each_call_goes_its_own_way_and_the_outputs_keep_their_order(
    runs: Runs, local_stack: LocalStack, notifications: Notifications, api: str
) -> None:
    """The caller's tool, a person's decision, a function, and a tool that nobody has."""
    calls = (
        LOOKUP,
        Call.of("notify", message="Hello."),
        Call.of("fetch", url=f"{local_stack.endpoints.pages}/tides"),
        Call.of("nobody", order=1),
    )
    run_id = runs.start_script(CallTools(calls), DONE, assistant="announcer", run_api=api, **TOOLS)
    lookup, notify = runs.wait_for_open_calls(run_id, 2)
    assert [lookup["waits_for"], notify["waits_for"]] == ["output", "approval"]

    assert runs.decide(run_id, notify).status_code == 200
    assert runs.wait_for_open_calls(run_id) == [lookup]
    model = runs.http.get(f"/runs/{run_id}").json()["model"]
    assert len(local_stack.emulator.models.started_turns[model]) == 1
    assert "Submit tool outputs" not in runs.entered_states(run_id)
    assert runs.give_outputs(run_id, {lookup["id"]: "42"}).status_code == 200

    ended = runs.wait_for_end(run_id)
    assert (ended.run["status"], ended.run["round"], ended.run["tool_calls"]) == ("completed", 1, 4)
    looked_up, notified, fetched, unknown = ended.outputs
    assert (looked_up, notified) == (42, "The message was sent.")
    assert "tide" in fetched["title"]
    assert unknown["error"].startswith("There is no tool nobody. There is: fetch, ")
    assert notifications.of_run(run_id) == ["Hello."]
    assert [each["call"]["name"] for each in runs.list_calls(run_id)] == [call.name for call in calls]


def test_some_outputs_now_and_the_rest_later(runs: Runs) -> None:
    """The same again changes nothing; another output, or one for no call of the run, is rejected."""
    calls = tuple(Call.of("lookup", order=number) for number in range(3))
    run_id = runs.start_script(CallTools(calls), DONE, **TOOLS)
    first, second, third = (call["call_id"] for call in runs.wait_for_open_calls(run_id, 3))

    some = runs.give_outputs(run_id, {third: "three", first: "one"})
    assert [call["call_id"] for call in some.json()["open_calls"]] == [second]
    assert runs.give_outputs(run_id, {first: "one"}).status_code == 200
    another = runs.give_outputs(run_id, {first: "two"})
    assert (another.status_code, another.json()["detail"]) == (409, "call 1-1 has another output already")
    unknown = runs.give_outputs(run_id, {second: "two", "call_of_nobody": "x"})
    assert (unknown.status_code, unknown.json()["errors"][0]["field"]) == (400, "outputs.1")
    assert [call["call_id"] for call in runs.wait_for_open_calls(run_id)] == [second], "nothing was written"

    failed = {"call_id": second, "error": "The order does not exist."}
    assert runs.http.post(f"/runs/{run_id}/tool_outputs", json={"outputs": [failed]}).status_code == 200

    ended = runs.wait_for_end(run_id)
    assert ended.outputs == ["one", {"error": "The order does not exist."}, "three"]
    assert [each["output"]["outcome"] for each in runs.list_calls(run_id)] == ["ok", "error", "ok"]


def test_an_approval_is_no_output_and_an_output_is_no_approval(
    runs: Runs, notifications: Notifications
) -> None:
    calls = (LOOKUP, Call.of("notify", message="Hello."))
    run_id = runs.start_script(CallTools(calls), DONE, assistant="announcer", **TOOLS)
    lookup, notify = runs.wait_for_open_calls(run_id, 2)

    assert runs.decide(run_id, lookup).status_code == 404
    assert runs.give_outputs(run_id, {notify["call_id"]: "Approved."}).status_code == 400
    assert runs.wait_for_open_calls(run_id, 2) == [lookup, notify]

    runs.decide(run_id, notify, "deny")
    runs.give_outputs(run_id, {lookup["id"]: "42"})
    assert runs.wait_for_end(run_id).run["status"] == "completed"
    assert notifications.of_run(run_id) == []


def test_several_rounds_wait_one_after_the_other(runs: Runs, event_listener: EventListener) -> None:
    step = CallTools((LOOKUP,))
    run_id = runs.start_script(step, step, step, DONE, **TOOLS)
    for number in (1, 2, 3):
        (call,) = runs.http.get(f"/runs/{run_id}?wait=25", timeout=30).json()["open_calls"]
        assert call["id"] == f"{number}-1"
        assert runs.give_outputs(run_id, {call["id"]: f"output {number}"}).status_code == 200

    ended = runs.wait_for_end(run_id)
    assert (ended.run["message"], ended.run["round"]) == ("Done.", 3)
    assert [each["output"]["output"] for each in runs.list_calls(run_id)] == [
        "output 1",
        "output 2",
        "output 3",
    ]
    events = event_listener.published_call_events(run_id)
    assert [each["detail-type"] for each in events] == ["Output Requested"] * 3
    assert "4711" not in json.dumps(events)


def test_a_run_that_is_cancelled_takes_no_outputs(runs: Runs) -> None:
    run_id = runs.start_script(CallTools((LOOKUP,)), DONE, **TOOLS)
    (call,) = runs.wait_for_open_calls(run_id)
    runs.http.post(f"/runs/{run_id}/cancel")

    given = runs.give_outputs(run_id, {call["call_id"]: "42"})

    assert given.status_code == 409
    assert "has ended" in given.json()["detail"]
    assert runs.wait_for_end(run_id).run["status"] == "cancelled"
    assert runs.list_calls(run_id) == []


def test_the_second_attempt_asks_its_caller_again(runs: Runs) -> None:
    run_id = runs.start_script(CallTools((LOOKUP, LOOKUP)), DONE, **TOOLS)
    runs.wait_for_open_calls(run_id, 2)
    runs.give_outputs(run_id, {"1-1": "of the first attempt"})
    runs.http.post(f"/runs/{run_id}/cancel")
    runs.wait_for_end(run_id)

    assert runs.http.post(f"/runs/{run_id}/retry").status_code == 202

    assert [call["id"] for call in runs.wait_for_open_calls(run_id, 2)] == ["1-1", "1-2"]
    assert runs.give_outputs(run_id, {"1-1": "one", "1-2": "two"}).status_code == 200
    assert runs.wait_for_end(run_id, attempt=2).outputs == ["one", "two"]
