"""However a run ends, its final event is published, and delivered to its callback if it has one."""

import json
from typing import Any

import pytest
from openai import OpenAI
from support.canned_server import CannedServer, canned_server
from support.event_listener import EventListener
from support.runs import Runs
from support.waiting import wait_until
from werkzeug.wrappers import Response

from local.config import CALLBACK_SECRET
from local.openai_emulator import Fail, Hang, Say
from local.stack import LocalStack


def wait_for_callback(server: CannedServer) -> dict[str, Any]:
    """The content of the only callback that arrives. Its signature is verified."""
    (request,) = wait_until(lambda: server.requests, "a callback")
    OpenAI(api_key="x").webhooks.verify_signature(request.body, dict(request.headers), secret=CALLBACK_SECRET)
    content: dict[str, Any] = request.json
    return content


def test_the_event_of_a_completed_run_has_the_beginning_of_its_message(
    local_stack: LocalStack, runs: Runs, event_listener: EventListener
) -> None:
    model = local_stack.emulator.script(Say("word " * 10_000))

    run = runs.run("Go.", model=model, metadata={"ticket": "4711"}).run

    (event,) = event_listener.wait_for_events(run["run_id"])
    detail = event["detail"]
    assert event["detail-type"] == detail["event"] == "Run Completed"
    assert (detail["status"], detail["metadata"]) == ("completed", {"ticket": "4711"})
    assert (detail["message_excerpt"], detail["message_characters"]) == (run["message"][:4000], 50_000)
    assert {name: count for name, count in detail["usage"].items() if count is not None} == run["usage"]


def test_the_event_of_a_failed_run_has_its_failure(
    local_stack: LocalStack, runs: Runs, event_listener: EventListener
) -> None:
    model = local_stack.emulator.script(Fail("invalid_prompt", "It broke."))

    run = runs.run("Go.", model=model).run

    (event,) = event_listener.wait_for_events(run["run_id"])
    assert event["detail-type"] == "Run Failed"
    assert event["detail"]["failure"] == run["failure"]


def test_a_cancelled_run_has_an_event_and_a_callback(
    local_stack: LocalStack, runs: Runs, event_listener: EventListener
) -> None:
    model = local_stack.emulator.script(Hang())
    with canned_server(Response(status=200)) as server:
        body = {"prompt": "Go.", "model": model, "callback_url": server.url}
        run_id = runs.post(body).json()["run_id"]
        runs.wait_for_state(run_id, "Poll run")
        assert runs.http.post(f"/runs/{run_id}/cancel").json()["status"] == "cancelled"
        callback = wait_for_callback(server)

    (event,) = event_listener.wait_for_events(run_id)
    assert event["detail-type"] == "Run Cancelled"
    assert (callback["type"], callback["data"]["run_id"]) == ("run.cancelled", run_id)


@pytest.mark.parametrize("api", ["responses", "assistants", "agents"])
def test_stopping_an_execution_cancels_its_run(
    local_stack: LocalStack, runs: Runs, event_listener: EventListener, api: str
) -> None:
    model = local_stack.emulator.script(Hang())
    run_id = runs.post({"prompt": "Go.", "model": model, "run_api": api}).json()["run_id"]
    runs.wait_for_state(run_id, "Poll run")

    runs.stop_execution(run_id)

    (event,) = event_listener.wait_for_events(run_id)
    run = runs.http.get(f"/runs/{run_id}").json()
    assert event["detail-type"] == "Run Cancelled"
    assert run["failure"]["code"] == event["detail"]["failure"]["code"] == "execution_aborted"
    turns = local_stack.emulator.models.started_turns[model]
    wait_until(lambda: [turn.phase for turn in turns] == ["cancelled"], "the cancellation upstream")


def test_the_workflow_and_close_run_publish_the_same_fields(
    local_stack: LocalStack, runs: Runs, event_listener: EventListener
) -> None:
    script = local_stack.emulator.script
    failed = runs.run("Go.", model=script(Fail("invalid_prompt", "It broke."))).run["run_id"]
    cancelled = runs.post({"prompt": "Go.", "model": script(Hang())}).json()["run_id"]
    runs.wait_for_state(cancelled, "Poll run")
    runs.http.post(f"/runs/{cancelled}/cancel")

    (by_workflow,) = event_listener.wait_for_events(failed)
    (by_function,) = event_listener.wait_for_events(cancelled)

    assert by_workflow["source"] == by_function["source"]
    assert set(by_workflow["detail"]) == set(by_function["detail"])


def test_a_completed_run_has_a_callback(local_stack: LocalStack, runs: Runs) -> None:
    with canned_server(Response(status=204)) as server:
        prompt = f"Summarise {local_stack.endpoints.pages}/tides"
        run = runs.run(prompt, callback_url=f"{server.url}/hooks/upcall", metadata={"ticket": "4711"}).run
        callback = wait_for_callback(server)

    assert server.requests[0].path == "/hooks/upcall"
    assert callback["type"] == "run.completed"
    assert callback["data"]["metadata"] == {"ticket": "4711"}
    assert callback["data"]["message_excerpt"] == run["message"]
    assert "callback_url" not in json.dumps(callback)
