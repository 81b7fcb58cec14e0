"""Large pages, outputs, calls and messages fit into the workflow's state, and nothing is cut silently."""

import json

import pytest
from support.runs import EndedRun, Runs

from local.openai_emulator import Call, CallTools, Say
from local.stack import LocalStack
from upcall.domain.state_budget import MAX_STATE_BYTES

APIS = ["responses", "assistants", "agents"]


def run_with_calls(runs: Runs, api: str, *calls: Call) -> EndedRun:
    """A run that makes these calls in one round. All of its states fit."""
    ended = runs.run_script(CallTools(calls), Say("Done."), run_api=api)
    assert runs.largest_state_bytes(ended.run["run_id"]) <= MAX_STATE_BYTES
    return ended


def small_calls(count: int) -> CallTools:
    return CallTools(tuple(Call("nothing", "{}") for _ in range(count)))


@pytest.mark.parametrize("api", APIS)
def test_a_page_of_300_kb_is_read_in_pieces(runs: Runs, local_stack: LocalStack, api: str) -> None:
    ended = run_with_calls(runs, api, Call.of("fetch", url=f"{local_stack.endpoints.pages}/long"))

    (piece,) = ended.outputs
    assert len(piece["text"]) > 100_000
    assert piece["next_offset"] == len(piece["text"]) < 300_000


def test_ten_large_outputs_share_the_state(runs: Runs, local_stack: LocalStack) -> None:
    url = f"{local_stack.endpoints.pages}/long"
    calls = [Call.of("fetch", url=url, offset=offset) for offset in range(10)]

    ended = run_with_calls(runs, "responses", *calls)

    sizes = [len(output["text"]) for output in ended.outputs]
    assert min(sizes) > 15_000
    assert all(output["next_offset"] == offset + sizes[offset] for offset, output in enumerate(ended.outputs))


@pytest.mark.parametrize("api", APIS)
def test_a_call_with_arguments_of_100_kb_gets_an_output(runs: Runs, api: str) -> None:
    ended = run_with_calls(runs, api, Call.of("fetch", url="https://example.com/" + "x" * 100_000))

    assert "longer than 4,096 characters" in ended.outputs[0]["error"]


@pytest.mark.parametrize("api", APIS)
def test_arguments_that_leave_no_room_for_outputs_fail_the_run_with_the_numbers(
    runs: Runs, local_stack: LocalStack, api: str
) -> None:
    model = local_stack.emulator.script(CallTools((Call.of("fetch", url="x" * 300_000),)), Say("Never."))

    run = runs.run("Go.", model=model, run_api=api).run

    assert run["failure"]["code"] == "limit_call_bytes"
    assert "1 calls take 300," in run["failure"]["message"]
    assert runs.largest_state_bytes(run["run_id"]) <= MAX_STATE_BYTES
    turns = local_stack.emulator.models.started_turns[model]
    assert turns[-1].phase in ("cancelled", "done")
    assert len(turns) == 1


def test_a_hundred_small_calls_are_answered(runs: Runs, local_stack: LocalStack) -> None:
    model = local_stack.emulator.script(small_calls(100), Say("Done."))

    run = runs.run("Go.", model=model, limits={"calls_per_round": 100}).run

    assert (run["status"], run["tool_calls"]) == ("completed", 100)
    assert runs.largest_state_bytes(run["run_id"]) <= MAX_STATE_BYTES


def test_more_calls_at_once_than_the_maximum_fail_the_run(runs: Runs, local_stack: LocalStack) -> None:
    model = local_stack.emulator.script(small_calls(101), Say("Never."))

    run = runs.run("Go.", model=model, limits={"calls_per_round": 100}).run

    assert run["failure"]["code"] == "limit_calls_per_round"
    assert "101 tools at once; 100 are allowed" in run["failure"]["message"]


def test_the_name_of_an_unknown_tool_is_shortened_in_the_output(runs: Runs) -> None:
    ended = run_with_calls(runs, "responses", Call("x" * 100_000, "{}"))

    assert ended.outputs[0]["error"].startswith("There is no tool xxx")
    assert len(ended.outputs[0]["error"]) < 200


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("letter", ["x", "ä", "😀"], ids=["ascii", "latin", "emoji"])
def test_a_message_of_450_kb_is_returned_whole(runs: Runs, api: str, letter: str) -> None:
    text = letter * (450_000 // len(letter.encode()))

    ended = runs.run_script(Say(text), run_api=api)

    assert ended.run["message"] == text
    assert runs.largest_state_bytes(ended.run["run_id"]) <= MAX_STATE_BYTES


def test_a_prompt_of_200_kb_is_rejected_with_the_numbers(runs: Runs) -> None:
    response = runs.post({"prompt": "x" * 200_000})

    assert response.status_code == 400
    assert json.loads(response.content)["errors"] == [
        {"field": "prompt", "reason": "must be at most 102,400 bytes of UTF-8, not 200,000"}
    ]
