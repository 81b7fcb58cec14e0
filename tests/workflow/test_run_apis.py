"""One workflow, three run APIs: the same cases for each, to the same ends."""

import json
import time
from typing import Any

import pytest
from support.runs import Runs

from local import sample_pages
from local.openai_emulator import (
    Call,
    CallTools,
    Fail,
    Fault,
    Hang,
    Say,
    StopShort,
)
from local.stack import LocalStack

APIS = ("responses", "assistants", "agents")

pytestmark = pytest.mark.parametrize("api", APIS)


def test_no_tool(runs: Runs, api: str) -> None:
    run = runs.follow(Say("Hello."), api=api).run

    assert (run["status"], run["message"], run["round"]) == ("completed", "Hello.", 0)
    assert run["run_api"] == api
    assert run["usage"]["total_tokens"] > 0


def test_the_summary_of_a_page_is_the_same_through_each(runs: Runs, laptop: LocalStack, api: str) -> None:
    run = runs.run(f"Summarise {laptop.addresses.pages}/tides", run_api=api).run

    assert (run["round"], run["tool_calls"]) == (1, 1)
    assert run["message"].startswith("Why the tide comes twice a day: Most coasts see two high tides")


def test_parallel_calls(runs: Runs, laptop: LocalStack, api: str) -> None:
    calls = [Call.of("fetch", url=f"{laptop.addresses.pages}/{page}") for page in ("tides", "bread")]
    ended = runs.follow(CallTools(tuple(calls)), Say("Both."), api=api)

    assert ended.run["message"] == "Both."
    tides, bread = ended.outputs
    assert "tide" in tides["title"]
    assert "dough" in bread["title"]


def test_a_conversation_is_brought_along(runs: Runs, laptop: LocalStack, api: str) -> None:
    said = [("user", "What is red?"), ("assistant", "Blood."), ("user", "And blue?")]
    if api == "agents":  # it takes the user's items alone
        said = [each for each in said if each[0] == "user"]
    model = laptop.emulator.brain.script(Say("The sea."))
    items = [{"role": role, "content": content} for role, content in said]

    ended = runs.run(None, input=items, model=model, run_api=api)

    assert ended.run["message"] == "The sea."
    assert [(item["role"], item["content"]) for item in ended.run["input"]] == said
    assert list(ended.heard[0].said) == said


def test_the_message_is_json_of_the_schema_that_is_wanted(runs: Runs, laptop: LocalStack, api: str) -> None:
    schema = {
        "type": "object",
        "properties": {"summary": {"type": "string"}, "score": {"type": "number", "minimum": 0.5}},
        "required": ["summary", "score"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "report", "schema": schema, "strict": True}}
    body: dict[str, Any] = {
        "prompt": f"Summarise {laptop.addresses.pages}/tides",
        "run_api": api,
        "response_format": wanted,
    }
    if api == "agents":
        refused = runs.post(body)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "response_format")
        return

    ended = runs.run(**body)

    assert ended.run["response_format"] == wanted
    assert set(json.loads(ended.run["message"])) == {"summary", "score"}
    assert "Most coasts see two high tides" in json.loads(ended.run["message"])["summary"]


def test_three_rounds(runs: Runs, laptop: LocalStack, api: str) -> None:
    call = CallTools((Call.of("fetch", url=f"{laptop.addresses.pages}/bread"),))
    ended = runs.follow(call, call, call, Say("Done."), api=api)

    assert (ended.run["round"], ended.run["message"]) == (3, "Done.")
    assert len(ended.heard[-1].rounds) == 3
    assert ended.run["usage"]["total_tokens"] > 100


def test_arguments_that_are_not_json_an_unknown_tool_and_a_tool_error(runs: Runs, api: str) -> None:
    calls = (Call("fetch", "{broken"), Call("nothing", "{}"), Call.of("fetch", url="ftp://x"))
    ended = runs.follow(CallTools(calls), Say("I see."), api=api)

    assert ended.run["status"] == "completed"
    broken, unknown, failed = ended.outputs
    assert "cannot be taken" in broken["error"]
    assert "no tool nothing" in unknown["error"]
    assert "only http and https URLs can be fetched" in failed["error"]


def test_failed(runs: Runs, api: str) -> None:
    run = runs.follow(Fail("server_error", "Broken."), api=api).run

    assert run["status"] == "failed"
    assert (run["failure"]["code"], run["failure"]["message"]) == ("server_error", "Broken.")


def test_stopped_short(runs: Runs, api: str) -> None:
    """The Agents API has no `incomplete`: there it is a failure with the reason as its code."""
    run = runs.follow(StopShort("max_output_tokens"), api=api).run

    assert run["status"] == ("failed" if api == "agents" else "incomplete")
    assert run["failure"]["code"] == "max_output_tokens"


def test_expired(runs: Runs, api: str) -> None:
    """Only the Assistants API knows runs that expire."""
    run = runs.follow(StopShort("expired"), api=api).run

    statuses = {"responses": "incomplete", "assistants": "expired", "agents": "failed"}
    assert run["status"] == statuses[api]
    assert run["failure"]["code"] == "expired"


def test_slow(runs: Runs, api: str) -> None:
    """Longer than a poll window, which is 3 s here: the workflow asks again."""
    ended = runs.follow(Say("At last.", after_seconds=4), api=api)

    assert ended.run["message"] == "At last."
    assert runs.times_in_state(ended.run["run_id"], "Poll run") > 1


STEPS = ("create", "poll", "submit", "message")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    ("status", "headers", "acted"),
    [(429, {"retry-after": "1"}, False), (500, {}, False), (0, {}, True)],
    ids=["429", "500", "dropped after the server acted"],
)
def test_weather_at_each_step(
    runs: Runs, api: str, step: str, status: int, headers: dict[str, str], acted: bool
) -> None:
    if api == "responses" and step == "message":
        pytest.skip("a response is its own message: there is no such request")
    call = CallTools((Call("nothing", "{}"),))
    faults = [Fault(step, status, headers=headers, acted=acted)]
    ended = runs.follow(call, Say("Done."), api=api, faults=faults)

    assert (ended.run["status"], ended.run["message"], ended.run["round"]) == ("completed", "Done.", 1)


def test_a_retry_after_of_a_creation_is_waited_for(runs: Runs, api: str) -> None:
    start = time.monotonic()
    run = runs.follow(Say("Done."), api=api, faults=[Fault("create", 429, headers={"retry-after": "3"})]).run

    assert run["status"] == "completed"
    assert time.monotonic() - start > 3


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refusal_fails_the_run_at_once(runs: Runs, api: str, status: int) -> None:
    fault = Fault("create", status, body='{"detail": "No, says the server."}')
    run = runs.follow(Say("Never."), api=api, faults=[fault]).run

    assert run["failure"] == {
        "status": "failed",
        "code": "RequestRejected",
        "message": f"{status}: No, says the server.",
    }


def test_a_follow_up_goes_on_in_the_same_conversation(runs: Runs, api: str) -> None:
    first = runs.follow(Say("One."), api=api, prompt="First?")
    second = runs.run("Second?", previous_run_id=first.run["run_id"], model=first.run["model"])
    third = runs.run("Third?", previous_run_id=second.run["run_id"])

    assert (second.run["run_api"], third.run["run_api"]) == (api, api)
    assert third.run["previous_run_id"] == second.run["run_id"]
    prompts, conversation = [], third.heard[-1]
    while True:
        prompts.append(conversation.prompt)
        if conversation.follows is None:
            break
        conversation = conversation.follows
    assert prompts == ["Third?", "Second?", "First?"]
    assert third.run["status"] == "completed"


def cancelled_when(runs: Runs, run_id: str, status: str) -> Any:
    deadline = time.monotonic() + 20
    while runs.http.get(f"/runs/{run_id}").json()["status"] != status:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return runs.http.post(f"/runs/{run_id}/cancel")


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_cancelled_while_it_is(laptop: LocalStack, runs: Runs, api: str, status: str) -> None:
    model = laptop.emulator.script(Hang())
    run_id = runs.post({"prompt": "Go.", "model": model, "run_api": api}).json()["run_id"]
    if status == "queued":
        answer = runs.http.post(f"/runs/{run_id}/cancel")
    else:
        answer = cancelled_when(runs, run_id, status)

    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert runs.ended_execution(run_id)["status"] in ("ABORTED", "FAILED")
    assert runs.http.get(f"/runs/{run_id}").json()["status"] == "cancelled"
    assert runs.http.post(f"/runs/{run_id}/cancel").status_code == 409
    deadline = time.monotonic() + 10
    while any(turn.phase != "cancelled" for turn in laptop.emulator.brain.begun.get(model, [])):
        assert time.monotonic() < deadline, "something is left running upstream"
        time.sleep(0.05)


def test_cancelled_while_its_tools_are_called(laptop: LocalStack, runs: Runs, api: str) -> None:
    """What the tool brings comes too late: it is not submitted, and not in the ledger."""
    call = CallTools((Call.of("fetch", url=f"{laptop.addresses.pages}/slow"),))
    model = laptop.emulator.script(call, Say("Never."))
    run_id = runs.post({"prompt": "Go.", "model": model, "run_api": api}).json()["run_id"]
    runs.wait_for_state(run_id, "Call tool")
    answer = runs.http.post(f"/runs/{run_id}/cancel")

    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert runs.ended_execution(run_id)["status"] in ("ABORTED", "FAILED")
    time.sleep(sample_pages.SLOW_SECONDS)
    run = runs.http.get(f"/runs/{run_id}").json()
    assert (run["status"], run["round"], run["tool_calls"]) == ("cancelled", 0, 0)
    assert len(laptop.emulator.brain.begun[model]) == 1, "nothing new upstream"


def test_cancelled_upstream_by_somebody_else(laptop: LocalStack, runs: Runs, api: str) -> None:
    model = laptop.emulator.script(Hang())
    run_id = runs.post({"prompt": "Go.", "model": model, "run_api": api}).json()["run_id"]
    deadline = time.monotonic() + 10
    while model not in laptop.emulator.brain.begun:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    laptop.emulator.brain.begun[model][0].cancel()

    assert runs.ended_execution(run_id)["error"] == "cancelled"
    assert runs.http.get(f"/runs/{run_id}").json()["status"] == "cancelled"
