"""The same cases with each run API: the same workflow, the same results."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from openai import OpenAI
from support import fast_stack
from support.fast_stack import workflow_waits
from support.function_changes import function_changes
from support.pages import SlowPage, slow_page
from support.runs import Runs
from support.waiting import wait_until

from local.openai_emulator import Call, CallTools, EndIncomplete, Fail, Fault, Hang, Say
from local.stack import LocalStack
from upcall.aws.run_repository import DynamoDBRunRepository

pytestmark = pytest.mark.parametrize("api", ["responses", "assistants", "agents"])


@pytest.fixture
def page(local_stack: LocalStack) -> Iterator[SlowPage]:
    with slow_page(local_stack) as served:
        yield served


def test_a_run_without_tools_completes(runs: Runs, api: str) -> None:
    run = runs.run_script(Say("Hello."), run_api=api).run

    assert (run["status"], run["message"], run["round"]) == ("completed", "Hello.", 0)
    assert run["run_api"] == api
    assert run["usage"]["total_tokens"] > 0


def test_the_summary_of_a_page_is_the_same_with_each_api(
    runs: Runs, local_stack: LocalStack, api: str
) -> None:
    run = runs.run(f"Summarise {local_stack.endpoints.pages}/tides", run_api=api).run

    assert (run["round"], run["tool_calls"]) == (1, 1)
    assert run["message"].startswith("Why the tide comes twice a day: Most coasts see two high tides")


def test_the_calls_of_a_round_are_answered_in_their_order(
    runs: Runs, local_stack: LocalStack, api: str
) -> None:
    calls = [Call.of("fetch", url=f"{local_stack.endpoints.pages}/{page}") for page in ("tides", "bread")]
    ended = runs.run_script(CallTools(tuple(calls)), Say("Both."), run_api=api)

    assert ended.run["message"] == "Both."
    tides, bread = ended.outputs
    assert "tide" in tides["title"]
    assert "dough" in bread["title"]


def test_the_model_receives_the_whole_input(runs: Runs, local_stack: LocalStack, api: str) -> None:
    messages = [("user", "What is red?"), ("assistant", "Blood."), ("user", "And blue?")]
    if api == "agents":  # it takes items of the user only
        messages = [each for each in messages if each[0] == "user"]
    model = local_stack.emulator.script(Say("The sea."))
    items = [{"role": role, "content": content} for role, content in messages]

    ended = runs.run(None, input=items, model=model, run_api=api)

    assert ended.run["message"] == "The sea."
    assert [(item["role"], item["content"]) for item in ended.run["input"]] == messages
    assert list(ended.conversations[0].messages) == messages


def test_the_message_is_json_of_the_requested_schema(runs: Runs, local_stack: LocalStack, api: str) -> None:
    schema = {
        "type": "object",
        "properties": {"summary": {"type": "string"}, "score": {"type": "number", "minimum": 0.5}},
        "required": ["summary", "score"],
        "additionalProperties": False,
    }
    response_format = {
        "type": "json_schema",
        "json_schema": {"name": "report", "schema": schema, "strict": True},
    }
    body: dict[str, Any] = {
        "prompt": f"Summarise {local_stack.endpoints.pages}/tides",
        "run_api": api,
        "response_format": response_format,
    }
    if api == "agents":
        rejected = runs.post(body)
        assert (rejected.status_code, rejected.json()["errors"][0]["field"]) == (400, "response_format")
        return

    ended = runs.run(**body)

    assert ended.run["response_format"] == response_format
    assert set(json.loads(ended.run["message"])) == {"summary", "score"}
    assert "Most coasts see two high tides" in json.loads(ended.run["message"])["summary"]


def test_a_conversation_keeps_the_instructions_and_the_reasoning_of_its_first_run(
    runs: Runs, api: str
) -> None:
    options: dict[str, Any] = {"instructions": "Be brief.", "reasoning": {"effort": "low"}}
    if api != "agents":
        options |= {"temperature": 0.25, "max_output_tokens": 500}
    first = runs.run_script(Say("One."), run_api=api, **options)
    second = runs.run("And now?", previous_run_id=first.run["run_id"], model=first.run["model"])

    assert {name: first.run[name] for name in options} == options
    assert (second.run["status"], second.run["instructions"]) == ("completed", "Be brief.")
    assert second.run["reasoning"] == {"effort": "low"}
    assert "temperature" not in second.run


def test_only_a_response_has_hours_to_think(
    runs: Runs, local_stack: LocalStack, repository: DynamoDBRunRepository, api: str
) -> None:
    """Each turn asks for the discount, and the run has the time for it."""
    model = local_stack.emulator.script(CallTools((Call("none", "{}"),)), Say("Done."))
    request = {"prompt": "Go.", "model": model, "run_api": api, "completion_window": "8h"}
    response = runs.post(request)
    if api != "responses":
        assert response.status_code == 400
        assert response.json()["errors"][0]["field"] == "completion_window"
        return
    run_id = response.json()["run_id"]
    runs.wait_for_execution(run_id)

    run = repository.get_run(run_id)
    assert (run.status, run.completion_window, run.limits.seconds) == ("completed", "8h", 43_200)
    assert run.upstream_run
    with OpenAI(base_url=local_stack.endpoints.openai, api_key="x") as client:
        last = client.responses.retrieve(run.upstream_run.ids["response_id"])
        first = client.responses.retrieve(last.previous_response_id or "")
    for turn in (first, last):
        assert turn.to_dict()["background_options"] == {"completion_window": "8h"}


def test_a_run_may_have_three_rounds(runs: Runs, local_stack: LocalStack, api: str) -> None:
    call = CallTools((Call.of("fetch", url=f"{local_stack.endpoints.pages}/bread"),))
    ended = runs.run_script(call, call, call, Say("Done."), run_api=api)

    assert (ended.run["round"], ended.run["message"]) == (3, "Done.")
    assert len(ended.conversations[-1].rounds) == 3
    assert ended.run["usage"]["total_tokens"] > 100


def test_the_model_reads_why_a_tool_call_failed(runs: Runs, api: str) -> None:
    calls = (Call("fetch", "{broken"), Call("nothing", "{}"), Call.of("fetch", url="ftp://x"))
    ended = runs.run_script(CallTools(calls), Say("I see."), run_api=api)

    assert ended.run["status"] == "completed"
    broken, unknown, failed = ended.outputs
    assert "invalid arguments: " in broken["error"]
    assert "no tool nothing" in unknown["error"]
    assert "only http and https URLs can be fetched" in failed["error"]


def test_a_failure_upstream_is_the_failure_of_the_run(runs: Runs, api: str) -> None:
    run = runs.run_script(Fail("invalid_prompt", "Broken."), run_api=api).run

    assert run["status"] == "failed"
    assert (run["failure"]["code"], run["failure"]["message"]) == ("invalid_prompt", "Broken.")


def test_an_incomplete_answer_keeps_its_reason(runs: Runs, api: str) -> None:
    """The Agents API has no `incomplete`: there it is a failure with the reason as its code."""
    run = runs.run_script(EndIncomplete("max_output_tokens"), run_api=api).run

    assert run["status"] == ("failed" if api == "agents" else "incomplete")
    assert run["failure"]["code"] == "max_output_tokens"


def test_a_run_that_expires_upstream_keeps_its_reason(runs: Runs, api: str) -> None:
    """Only the Assistants API has the status `expired`."""
    run = runs.run_script(EndIncomplete("expired"), run_api=api).run

    statuses = {"responses": "incomplete", "assistants": "expired", "agents": "failed"}
    assert run["status"] == statuses[api]
    assert run["failure"]["code"] == "expired"


def test_a_run_that_takes_longer_than_a_poll_window_is_polled_again(
    local_stack: LocalStack, runs: Runs, api: str
) -> None:
    model = local_stack.emulator.script(Hang())
    with function_changes(local_stack, "PollRunFunction", environment={"POLL_WINDOW_SECONDS": "2"}):
        run_id = runs.post({"prompt": "Go.", "model": model, "run_api": api}).json()["run_id"]
        wait_until(lambda: runs.entered_states(run_id).count("Poll run") > 1, "the second poll window")
    (turn,) = local_stack.emulator.models.started_turns[model]
    turn.step = Say("At last.")
    runs.wait_for_execution(run_id)

    assert runs.http.get(f"/runs/{run_id}").json()["message"] == "At last."


@pytest.mark.parametrize("operation", ["create", "poll", "submit", "message"])
@pytest.mark.parametrize(
    ("status", "headers", "processed"),
    [(429, {"retry-after": "1"}, False), (500, {}, False), (0, {}, True)],
    ids=["429", "500", "dropped after the server processed the request"],
)
def test_a_transient_failure_of_one_request_changes_nothing(
    runs: Runs, api: str, operation: str, status: int, headers: dict[str, str], processed: bool
) -> None:
    if api == "responses" and operation == "message":
        pytest.skip("a response is its own message: there is no such request")
    call = CallTools((Call("nothing", "{}"),))
    faults = [Fault(operation, status, headers=headers, processed=processed)]
    ended = runs.run_script(call, Say("Done."), run_api=api, faults=faults)

    assert (ended.run["status"], ended.run["message"], ended.run["round"]) == ("completed", "Done.", 1)


def test_the_retry_after_of_a_creation_is_waited_for_once(
    runs: Runs, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table says until when all runs of the model are held back, so the workflow must really wait."""
    monkeypatch.setattr(fast_stack, "WORKFLOW_SPEED", 1)
    fault = Fault("create", 429, headers={"retry-after": "2"})

    run = runs.run_script(Say("Done."), run_api=api, faults=[fault]).run

    assert run["status"] == "completed"
    assert runs.entered_states(run["run_id"]).count("Wait to create") == 1
    assert workflow_waits[run["run_id"]] == [2]


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_rejected_request_fails_the_run_at_once(runs: Runs, api: str, status: int) -> None:
    fault = Fault("create", status, body='{"detail": "No, says the server."}')
    run = runs.run_script(Say("Never."), run_api=api, faults=[fault]).run

    assert run["failure"] == {
        "status": "failed",
        "code": "RequestRejected",
        "message": f"{status}: No, says the server.",
    }


def test_a_follow_up_continues_the_same_conversation(runs: Runs, api: str) -> None:
    first = runs.run_script(Say("One."), run_api=api, prompt="First?")
    second = runs.run("Second?", previous_run_id=first.run["run_id"], model=first.run["model"])
    third = runs.run("Third?", previous_run_id=second.run["run_id"])

    assert (second.run["run_api"], third.run["run_api"]) == (api, api)
    assert third.run["previous_run_id"] == second.run["run_id"]
    prompts, conversation = [], third.conversations[-1]
    while True:
        prompts.append(conversation.prompt)
        if conversation.previous is None:
            break
        conversation = conversation.previous
    assert prompts == ["Third?", "Second?", "First?"]
    assert third.run["status"] == "completed"


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_a_run_is_cancelled_here_and_upstream(
    local_stack: LocalStack, runs: Runs, api: str, status: str
) -> None:
    model = local_stack.emulator.script(Hang())
    run_id = runs.post({"prompt": "Go.", "model": model, "run_api": api}).json()["run_id"]
    if status != "queued":
        wait_until(lambda: runs.http.get(f"/runs/{run_id}").json()["status"] == status, status)
    response = runs.http.post(f"/runs/{run_id}/cancel")

    assert (response.status_code, response.json()["status"]) == (200, "cancelled")
    assert runs.wait_for_execution(run_id)["status"] in ("ABORTED", "FAILED")
    assert runs.http.get(f"/runs/{run_id}").json()["status"] == "cancelled"
    assert runs.http.post(f"/runs/{run_id}/cancel").status_code == 409
    turns = local_stack.emulator.models.started_turns.get(model, [])
    wait_until(lambda: all(turn.phase == "cancelled" for turn in turns), "the cancellation upstream")


def test_the_output_of_a_tool_is_dropped_if_the_run_was_cancelled_meanwhile(
    local_stack: LocalStack, runs: Runs, page: SlowPage, api: str
) -> None:
    """It is not submitted, and it is not in the ledger."""
    call = CallTools((Call.of("fetch", url=page.url),))
    model = local_stack.emulator.script(call, Say("Never."))
    run_id = runs.post({"prompt": "Go.", "model": model, "run_api": api}).json()["run_id"]
    page.wait_for_request()
    assert "Call tool" in runs.entered_states(run_id)
    response = runs.http.post(f"/runs/{run_id}/cancel")

    assert (response.status_code, response.json()["status"]) == (200, "cancelled")
    page.respond()
    assert runs.wait_for_execution(run_id)["status"] in ("ABORTED", "FAILED")
    wait_until(lambda: not is_running(local_stack, "FetchFunction"), "the end of the tool call")
    run = runs.http.get(f"/runs/{run_id}").json()
    assert (run["status"], run["round"], run["tool_calls"]) == ("cancelled", 0, 0)
    assert len(local_stack.emulator.models.started_turns[model]) == 1, "nothing is submitted upstream"


def test_a_run_that_was_cancelled_upstream_is_cancelled_here(
    local_stack: LocalStack, runs: Runs, api: str
) -> None:
    model = local_stack.emulator.script(Hang())
    run_id = runs.post({"prompt": "Go.", "model": model, "run_api": api}).json()["run_id"]
    (turn,) = wait_until(lambda: local_stack.emulator.models.started_turns.get(model, []), "a turn upstream")
    turn.cancel()

    assert runs.wait_for_execution(run_id)["error"] == "cancelled"
    assert runs.http.get(f"/runs/{run_id}").json()["status"] == "cancelled"


def is_running(local_stack: LocalStack, logical_id: str) -> bool:
    """Whether an invocation of the function is running: its threads have its name."""
    name = local_stack.deployed.functions[logical_id].name
    return any(thread.name == name for thread in threading.enumerate())
