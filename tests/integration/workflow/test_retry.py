"""A retry continues the same run with a new execution, and calls no tool twice for it."""

import json

import pytest
from support.event_listener import EventListener
from support.runs import Runs

from local.openai_emulator import Call, CallTools, Fail, Hang, Say
from local.stack import LocalStack


def wait_for_attempt(runs: Runs, run_id: str, attempt: int = 2) -> dict[str, object]:
    """The run after the execution of that attempt."""
    runs.wait_for_execution(f"{run_id}-{attempt}")
    run: dict[str, object] = runs.http.get(f"/runs/{run_id}").json()
    return run


@pytest.mark.parametrize("api", ["responses", "agents"])
def test_a_retry_keeps_the_outputs_of_earlier_tool_calls(
    runs: Runs, local_stack: LocalStack, api: str
) -> None:
    models = local_stack.emulator.models
    fetch = CallTools((Call.of("fetch", url=f"{local_stack.endpoints.pages}/tides"),))
    model = models.script(fetch, Fail("invalid_prompt", "It broke."))
    first = runs.run("Go.", model=model, run_api=api).run
    assert (first["status"], first["round"]) == ("failed", 1)
    models.replace_steps(model, Say("Done.") if api == "agents" else fetch, Say("Done."))

    response = runs.http.post(f"/runs/{first['run_id']}/retry")
    run = wait_for_attempt(runs, first["run_id"])

    assert (response.status_code, response.headers["location"]) == (202, f"/runs/{first['run_id']}")
    assert (run["status"], run["message"], run["attempt"]) == ("completed", "Done.", 2)
    assert (run["round"], run["tool_calls"]) == (1, 1)
    calls = runs.http.get(f"/runs/{first['run_id']}/calls").json()["calls"]
    assert [each["call"]["name"] for each in calls] == ["fetch"]
    last = models.conversations[model][-1]
    with_outputs = last if api == "responses" else last.previous
    assert with_outputs is not None
    assert "tide" in json.loads(with_outputs.rounds[0][0].output)["text"]


@pytest.mark.parametrize("api", ["responses", "assistants", "agents"])
def test_a_run_without_tool_calls_starts_again(runs: Runs, local_stack: LocalStack, api: str) -> None:
    models = local_stack.emulator.models
    model = models.script(Fail("invalid_prompt", "It broke."))
    run_id = runs.run("Go.", model=model, run_api=api).run["run_id"]
    models.replace_steps(model, Say("Done."))

    assert runs.http.post(f"/runs/{run_id}/retry").status_code == 202

    assert wait_for_attempt(runs, run_id)["message"] == "Done."


def test_a_cancelled_run_can_be_retried_and_each_attempt_has_a_final_event(
    runs: Runs, local_stack: LocalStack, event_listener: EventListener
) -> None:
    models = local_stack.emulator.models
    model = models.script(Hang())
    run_id = runs.post({"prompt": "Go.", "model": model}).json()["run_id"]
    runs.wait_for_state(run_id, "Poll run")
    runs.http.post(f"/runs/{run_id}/cancel")
    runs.wait_for_execution(run_id)
    (cancelled,) = event_listener.wait_for_events(run_id)
    models.replace_steps(model, Say("Done."))

    assert runs.http.post(f"/runs/{run_id}/retry").status_code == 202

    assert wait_for_attempt(runs, run_id)["status"] == "completed"
    assert cancelled["detail-type"] == "Run Cancelled"
    events = event_listener.wait_for_events(run_id, count=2)
    assert [each["detail-type"] for each in events] == ["Run Cancelled", "Run Completed"]


def test_the_name_of_the_second_execution_has_the_number_of_the_attempt(
    runs: Runs, local_stack: LocalStack
) -> None:
    model = local_stack.emulator.script(Fail("invalid_prompt", "It broke."))
    run_id = runs.run("Go.", model=model).run["run_id"]
    runs.http.post(f"/runs/{run_id}/retry")

    assert runs.wait_for_execution(f"{run_id}-2")["status"] == "FAILED"
