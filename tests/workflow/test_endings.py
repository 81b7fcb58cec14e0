"""Whatever way a run ends, the bus says so, and so does its callback, if it has one."""

import json
import time
from typing import Any

import boto3
import pytest
from openai import OpenAI
from support.canned_server import Server, canned
from support.event_listener import EventListener
from support.runs import Runs
from werkzeug.wrappers import Response

from local.config import CALLBACK_SECRET
from local.openai_emulator import Fail, Hang, Say
from local.stack import LocalStack
from upcall.aws.step_functions import execution_arn

PATIENCE_SECONDS = 30


def arrived(up: Server) -> dict[str, Any]:
    """The callback that arrived, once it has."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not up.asked:
        assert time.monotonic() < deadline, "no callback arrived"
        time.sleep(0.02)
    (asked,) = up.asked
    OpenAI(api_key="x").webhooks.verify_signature(asked.body, dict(asked.headers), secret=CALLBACK_SECRET)
    told: dict[str, Any] = asked.json
    return told


def test_a_completed_run_is_announced_with_the_begin_of_its_message(
    laptop: LocalStack, runs: Runs, hearing: EventListener
) -> None:
    model = laptop.emulator.brain.script(Say("word " * 10_000))

    run = runs.run("Go.", model=model, metadata={"ticket": "4711"}).run

    (event,) = hearing.about(run["run_id"])
    detail = event["detail"]
    assert event["detail-type"] == detail["event"] == "Run Completed"
    assert (detail["status"], detail["metadata"]) == ("completed", {"ticket": "4711"})
    assert (detail["message_excerpt"], detail["message_characters"]) == (run["message"][:4000], 50_000)
    assert detail["usage"] == run["usage"]


def test_a_failed_run_is_announced_with_its_failure(
    laptop: LocalStack, runs: Runs, hearing: EventListener
) -> None:
    model = laptop.emulator.brain.script(Fail("server_error", "It broke."))

    run = runs.run("Go.", model=model).run

    (event,) = hearing.about(run["run_id"])
    assert event["detail-type"] == "Run Failed"
    assert event["detail"]["failure"] == run["failure"]


def test_a_cancelled_run_is_announced_and_called_back(
    laptop: LocalStack, runs: Runs, hearing: EventListener
) -> None:
    model = laptop.emulator.brain.script(Hang())
    with canned(Response(status=200)) as up:
        body = {"prompt": "Go.", "model": model, "callback_url": up.url}
        run_id = runs.post(body).json()["run_id"]
        runs.wait_for_state(run_id, "Poll run")
        assert runs.http.post(f"/runs/{run_id}/cancel").json()["status"] == "cancelled"
        told = arrived(up)

    (event,) = hearing.about(run_id)
    assert event["detail-type"] == "Run Cancelled"
    assert (told["type"], told["data"]["run_id"]) == ("run.cancelled", run_id)


@pytest.mark.parametrize("api", ["responses", "assistants", "agents"])
def test_an_execution_that_somebody_stops_is_a_cancelled_run(
    laptop: LocalStack, runs: Runs, hearing: EventListener, api: str
) -> None:
    model = laptop.emulator.brain.script(Hang())
    run_id = runs.post({"prompt": "Go.", "model": model, "run_api": api}).json()["run_id"]
    runs.wait_for_state(run_id, "Poll run")

    arn = execution_arn(laptop.addresses.state_machine, run_id)
    boto3.client("stepfunctions").stop_execution(executionArn=arn)

    (event,) = hearing.about(run_id)
    run = runs.http.get(f"/runs/{run_id}").json()
    assert event["detail-type"] == "Run Cancelled"
    assert run["failure"]["code"] == event["detail"]["failure"]["code"] == "execution_aborted"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while [turn.phase for turn in laptop.emulator.brain.begun[model]] != ["cancelled"]:
        assert time.monotonic() < deadline, "it goes on upstream"
        time.sleep(0.02)


def test_the_workflow_and_close_run_announce_in_the_same_words(
    laptop: LocalStack, runs: Runs, hearing: EventListener
) -> None:
    brain = laptop.emulator.brain
    failed = runs.run("Go.", model=brain.script(Fail("server_error", "It broke."))).run["run_id"]
    stopped = runs.post({"prompt": "Go.", "model": brain.script(Hang())}).json()["run_id"]
    runs.wait_for_state(stopped, "Poll run")
    runs.http.post(f"/runs/{stopped}/cancel")

    (by_workflow,), (by_function,) = hearing.about(failed), hearing.about(stopped)

    assert by_workflow["source"] == by_function["source"]
    assert set(by_workflow["detail"]) == set(by_function["detail"])


def test_a_completed_run_calls_back(laptop: LocalStack, runs: Runs) -> None:
    with canned(Response(status=204)) as up:
        prompt = f"Summarise {laptop.addresses.pages}/tides"
        run = runs.run(prompt, callback_url=f"{up.url}/hooks/upcall", metadata={"ticket": "4711"}).run
        told = arrived(up)

    assert up.asked[0].path == "/hooks/upcall"
    assert told["type"] == "run.completed"
    assert told["data"]["metadata"] == {"ticket": "4711"}
    assert told["data"]["message_excerpt"] == run["message"]
    assert "callback_url" not in json.dumps(told)
