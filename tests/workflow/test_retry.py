"""A run tried again: the same run, a new execution, and no tool called twice for it."""

import json
import time

import boto3
import pytest
from support.event_listener import EventListener
from support.runs import Runs

from local.openai_emulator import (
    Call,
    CallTools,
    Fail,
    Hang,
    Say,
)
from local.stack import LocalStack
from upcall.aws.step_functions import execution_arn

PATIENCE_SECONDS = 30


def ended(runs: Runs, run_id: str) -> dict[str, object]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        run: dict[str, object] = runs.http.get(f"/runs/{run_id}?wait=5").json()
        if run["status"] not in ("queued", "in_progress"):
            return run
    raise TimeoutError(run_id)


@pytest.mark.parametrize("api", ["responses", "agents"])
def test_what_tools_have_answered_is_not_asked_again(runs: Runs, laptop: LocalStack, api: str) -> None:
    brain = laptop.emulator.brain
    fetch = CallTools((Call.of("fetch", url=f"{laptop.addresses.pages}/tides"),))
    model = brain.script(fetch, Fail("server_error", "It broke."))
    first = runs.run("Go.", model=model, run_api=api).run
    assert (first["status"], first["round"]) == ("failed", 1)
    brain.rewrite(model, Say("Done.") if api == "agents" else fetch, Say("Done."))

    answer = runs.http.post(f"/runs/{first['run_id']}/retry")
    run = ended(runs, first["run_id"])

    assert (answer.status_code, answer.headers["location"]) == (202, f"/runs/{first['run_id']}")
    assert (run["status"], run["message"], run["attempt"]) == ("completed", "Done.", 2)
    assert (run["round"], run["tool_calls"]) == (1, 1)
    calls = runs.http.get(f"/runs/{first['run_id']}/calls").json()["calls"]
    assert [each["call"]["name"] for each in calls] == ["fetch"]
    heard = brain.heard[model][-1]
    known = heard if api == "responses" else heard.follows
    assert known is not None
    assert "tide" in json.loads(known.rounds[0][0].output)["text"]


@pytest.mark.parametrize("api", ["responses", "assistants", "agents"])
def test_a_run_that_called_nothing_begins_anew(runs: Runs, laptop: LocalStack, api: str) -> None:
    brain = laptop.emulator.brain
    model = brain.script(Fail("server_error", "It broke."))
    run_id = runs.run("Go.", model=model, run_api=api).run["run_id"]
    brain.rewrite(model, Say("Done."))

    assert runs.http.post(f"/runs/{run_id}/retry").status_code == 202

    assert ended(runs, run_id)["message"] == "Done."


def test_a_cancelled_run_can_be_tried_again_and_each_ending_is_announced(
    runs: Runs, laptop: LocalStack, hearing: EventListener
) -> None:
    brain = laptop.emulator.brain
    model = brain.script(Hang())
    run_id = runs.post({"prompt": "Go.", "model": model}).json()["run_id"]
    runs.wait_for_state(run_id, "Poll run")
    runs.http.post(f"/runs/{run_id}/cancel")
    runs.ended_execution(run_id)
    (cancelled,) = hearing.about(run_id)
    brain.rewrite(model, Say("Done."))

    assert runs.http.post(f"/runs/{run_id}/retry").status_code == 202

    assert ended(runs, run_id)["status"] == "completed"
    assert cancelled["detail-type"] == "Run Cancelled"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(hearing.about(run_id, all_there_are=True)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert [each["detail-type"] for each in hearing.about(run_id)] == ["Run Cancelled", "Run Completed"]


def test_the_second_execution_bears_the_number_of_the_attempt(runs: Runs, laptop: LocalStack) -> None:
    brain = laptop.emulator.brain
    model = brain.script(Fail("server_error", "It broke."))
    run_id = runs.run("Go.", model=model).run["run_id"]
    runs.http.post(f"/runs/{run_id}/retry")
    ended(runs, run_id)

    arn = execution_arn(laptop.addresses.state_machine, f"{run_id}-2")
    assert boto3.client("stepfunctions").describe_execution(executionArn=arn)["status"] in (
        "RUNNING",
        "FAILED",
    )
