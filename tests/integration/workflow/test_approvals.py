"""A person approves or denies a tool call, and the run goes on with that. Everything over HTTP, from outside."""

import json
from collections.abc import Iterator

import pytest
from support.event_listener import EventListener
from support.notifications import Notifications, received_notifications
from support.runs import Runs
from support.waiting import wait_until

from local.openai_emulator import Call, CallTools, Fail, Say
from local.stack import LocalStack

MESSAGE = "The ferry is late. äöü 😀"
NOTIFY = CallTools((Call.of("notify", message=MESSAGE),))
DONE = Say("Done.")

every_api = pytest.mark.parametrize("api", ["responses", "assistants", "agents"])


@pytest.fixture
def notifications(local_stack: LocalStack) -> Iterator[Notifications]:
    with received_notifications(local_stack) as received:
        yield received


@every_api
def test_an_approved_call_runs_once_and_the_ledger_says_who_approved_it(
    runs: Runs, notifications: Notifications, api: str
) -> None:
    run_id = runs.start_script(NOTIFY, DONE, assistant="announcer", run_api=api)
    (call,) = runs.wait_for_open_calls(run_id)
    assert (call["waits_for"], json.loads(call["arguments"])) == ("approval", {"message": MESSAGE})
    assert notifications.of_run(run_id) == []

    decision = runs.decide(run_id, call, reason="It is true.")

    assert decision.status_code == 200, decision.text
    ended = runs.wait_for_end(run_id)
    assert (ended.run["status"], ended.run["message"]) == ("completed", "Done.")
    assert ended.outputs == ["The message was sent."]
    assert notifications.of_run(run_id) == [MESSAGE]
    (entry,) = runs.list_calls(run_id)
    assert entry["decision"] == decision.json()
    assert (entry["decision"]["decision"], entry["decision"]["reason"]) == ("approve", "It is true.")
    assert entry["decision"]["decided_by"] == "anybody"
    assert call["since"] < entry["decision"]["decided_at"] < entry["output"]["started_at"]
    assert entry["decision"]["arguments_digest"] == call["arguments_digest"]
    assert entry["output"]["waited_seconds"] >= 1


@every_api
def test_the_model_reads_why_a_call_was_denied_and_the_tool_does_not_run(
    runs: Runs, notifications: Notifications, api: str
) -> None:
    run_id = runs.start_script(NOTIFY, Say("I see."), assistant="announcer", run_api=api)
    (call,) = runs.wait_for_open_calls(run_id)

    assert runs.decide(run_id, call, "deny", reason="The ferry is on time.").status_code == 200

    ended = runs.wait_for_end(run_id)
    assert (ended.run["status"], ended.run["message"]) == ("completed", "I see.")
    reason = "A person denied the call of notify, so it was not made. The reason: The ferry is on time."
    assert ended.outputs == [{"error": reason}]
    assert notifications.of_run(run_id) == []
    (entry,) = runs.list_calls(run_id)
    assert (entry["decision"]["decision"], entry["output"]["outcome"]) == ("deny", "error")


def test_only_the_first_decision_about_exactly_these_arguments_counts(
    runs: Runs, notifications: Notifications
) -> None:
    run_id = runs.start_script(NOTIFY, DONE, assistant="announcer")
    (call,) = runs.wait_for_open_calls(run_id)

    other_arguments = runs.decide(run_id, call, arguments_digest="0" * 64)
    assert (other_arguments.status_code, notifications.of_run(run_id)) == (409, [])
    assert "has other arguments" in other_arguments.json()["detail"]
    assert runs.wait_for_open_calls(run_id) == [call]

    first = runs.decide(run_id, call)
    again = runs.decide(run_id, call)
    opposite = runs.decide(run_id, call, "deny")

    assert (first.status_code, again.status_code, opposite.status_code) == (200, 200, 409)
    assert again.json() == first.json()
    assert "was approved already" in opposite.json()["detail"]
    assert runs.wait_for_end(run_id).outputs == ["The message was sent."]
    after_the_end = runs.decide(run_id, call)
    assert (after_the_end.status_code, after_the_end.json()) == (200, first.json())
    assert notifications.of_run(run_id) == [MESSAGE]


def test_each_round_waits_for_its_own_decision(runs: Runs, notifications: Notifications) -> None:
    """The same arguments again are another call."""
    run_id = runs.start_script(NOTIFY, NOTIFY, NOTIFY, DONE, assistant="announcer")
    for number, decision in enumerate(("deny", "approve", "deny"), start=1):
        (call,) = runs.wait_for_open_calls(run_id)
        assert call["id"] == f"{number}-1"
        assert runs.decide(run_id, call, decision).status_code == 200

    ended = runs.wait_for_end(run_id)

    assert (ended.run["message"], ended.run["round"]) == ("Done.", 3)
    assert [each["decision"]["decision"] for each in runs.list_calls(run_id)] == ["deny", "approve", "deny"]
    assert notifications.of_run(run_id) == [MESSAGE]


def test_that_a_call_waits_is_published_without_its_arguments(
    runs: Runs, event_listener: EventListener
) -> None:
    run_id = runs.start_script(NOTIFY, DONE, assistant="announcer", metadata={"team": "quay"})
    (call,) = runs.wait_for_open_calls(run_id)
    runs.decide(run_id, call, "deny", reason="No.")
    runs.wait_for_end(run_id)

    (event,) = event_listener.published_call_events(run_id)
    assert event["detail-type"] == "Approval Requested"
    assert (event["detail"]["call"], event["detail"]["tool"]) == ("1-1", "notify")
    assert event["detail"]["metadata"] == {"team": "quay"}
    assert "ferry" not in json.dumps(event)


def test_a_run_that_is_cancelled_takes_no_decision(runs: Runs, notifications: Notifications) -> None:
    run_id = runs.start_script(NOTIFY, DONE, assistant="announcer")
    (call,) = runs.wait_for_open_calls(run_id)

    assert runs.http.post(f"/runs/{run_id}/cancel").status_code == 200
    decision = runs.decide(run_id, call)

    assert decision.status_code == 409
    assert "has ended" in decision.json()["detail"]
    ended = runs.wait_for_end(run_id)
    assert (ended.run["status"], ended.run["open_calls"]) == ("cancelled", [])
    assert notifications.of_run(run_id) == []


def test_the_time_limit_does_not_count_while_a_call_waits(runs: Runs) -> None:
    """GET does not return early: the run waits for a person, not for its caller."""
    seconds = 6
    run_id = runs.start_script(NOTIFY, DONE, assistant="announcer", limits={"seconds": seconds})
    (call,) = runs.wait_for_open_calls(run_id)

    waiting = runs.http.get(f"/runs/{run_id}?wait={seconds + 2}").json()
    assert (waiting["status"], waiting["open_calls"]) == ("requires_action", [call])
    runs.decide(run_id, call, "deny")

    assert runs.wait_for_end(run_id).run["status"] == "completed"
    assert runs.list_calls(run_id)[0]["output"]["waited_seconds"] > seconds


def test_a_run_that_failed_after_an_approved_call_is_retried_without_asking_again(
    runs: Runs, local_stack: LocalStack, notifications: Notifications
) -> None:
    run_id = runs.start_script(NOTIFY, Fail("invalid_prompt", "It broke."), assistant="announcer")
    (call,) = runs.wait_for_open_calls(run_id)
    runs.decide(run_id, call)
    failed = runs.wait_for_end(run_id).run
    assert (failed["status"], failed["round"]) == ("failed", 1)
    local_stack.emulator.models.replace_steps(failed["model"], NOTIFY, DONE)

    assert runs.http.post(f"/runs/{run_id}/retry").status_code == 202

    ended = runs.wait_for_end(run_id, attempt=2)
    assert (ended.run["status"], ended.run["message"]) == ("completed", "Done.")
    assert [each["decision"]["decision"] for each in runs.list_calls(run_id)] == ["approve"]
    assert notifications.of_run(run_id) == [MESSAGE]


def test_a_decision_of_the_first_attempt_does_not_count_in_the_second(
    runs: Runs, notifications: Notifications
) -> None:
    """Both attempts ask for the same two calls. The one that ran in the first one does not run again."""
    other = Call.of("notify", message="The tide is high.")
    run_id = runs.start_script(CallTools((*NOTIFY.calls, other)), DONE, assistant="announcer")
    first, second = runs.wait_for_open_calls(run_id, 2)
    runs.decide(run_id, first)
    runs.wait_for_open_calls(run_id)
    sent = wait_until(lambda: notifications.of_run(run_id), "the first message")
    runs.http.post(f"/runs/{run_id}/cancel")
    runs.wait_for_end(run_id)

    assert runs.http.post(f"/runs/{run_id}/retry").status_code == 202

    again = runs.wait_for_open_calls(run_id, 2)
    assert [call["id"] for call in again] == [first["id"], second["id"]]
    assert notifications.of_run(run_id) == sent == [MESSAGE]
    assert [runs.decide(run_id, call).status_code for call in again] == [200, 200]
    ended = runs.wait_for_end(run_id, attempt=2)
    assert ended.run["status"] == "completed"
    assert sorted(notifications.of_run(run_id)) == [MESSAGE, "The tide is high."]
