"""Large pages, outputs, calls and messages: nothing outgrows the workflow's state, nothing is cut in silence."""

import json

import pytest
from support.execution_history import largest_state
from support.runs import Ended, Runs

from local.openai_emulator import Call, CallTools, Say
from local.stack import LocalStack
from upcall.domain.state_budget import MAX_STATE_BYTES

APIS = ["responses", "assistants", "agents"]


def followed(runs: Runs, laptop: LocalStack, api: str, *calls: Call) -> Ended:
    """A run that makes these calls at once, none of whose states was too large."""
    ended = runs.follow(CallTools(calls), Say("Done."), api=api)
    assert largest_state(laptop, ended.run["run_id"]) <= MAX_STATE_BYTES
    return ended


@pytest.mark.parametrize("api", APIS)
def test_a_page_of_300_kb_is_read_piece_by_piece(runs: Runs, laptop: LocalStack, api: str) -> None:
    ended = followed(runs, laptop, api, Call.of("fetch", url=f"{laptop.addresses.pages}/long"))

    (piece,) = ended.outputs
    assert len(piece["text"]) > 100_000
    assert piece["next_offset"] == len(piece["text"]) < 300_000


def test_ten_large_outputs_at_once_share_the_state(runs: Runs, laptop: LocalStack) -> None:
    calls = [Call.of("fetch", url=f"{laptop.addresses.pages}/long", offset=n) for n in range(10)]

    ended = followed(runs, laptop, "responses", *calls)

    sizes = [len(output["text"]) for output in ended.outputs]
    assert min(sizes) > 15_000
    assert all(output["next_offset"] == n + sizes[n] for n, output in enumerate(ended.outputs))


@pytest.mark.parametrize("api", APIS)
def test_arguments_of_100_kb_leave_room_for_an_answer(runs: Runs, laptop: LocalStack, api: str) -> None:
    ended = followed(runs, laptop, api, Call.of("fetch", url="https://example.com/" + "x" * 100_000))

    assert "longer than 4,096 characters" in ended.outputs[0]["error"]


@pytest.mark.parametrize("api", APIS)
def test_arguments_that_leave_no_room_end_the_run_with_the_figures(
    runs: Runs, laptop: LocalStack, api: str
) -> None:
    model = laptop.emulator.brain.script(CallTools((Call.of("fetch", url="x" * 300_000),)), Say("Never."))

    run = runs.run("Go.", model=model, run_api=api).run

    assert run["failure"]["code"] == "limit_call_bytes"
    assert "1 calls take 300," in run["failure"]["message"]
    assert largest_state(laptop, run["run_id"]) <= MAX_STATE_BYTES
    assert laptop.emulator.brain.begun[model][-1].phase in ("cancelled", "done")
    assert len(laptop.emulator.brain.begun[model]) == 1


def test_a_hundred_small_calls_are_answered(runs: Runs, laptop: LocalStack) -> None:
    model = laptop.emulator.brain.script(
        CallTools(tuple(Call("nothing", "{}") for _ in range(100))), Say("Done.")
    )

    run = runs.run("Go.", model=model, limits={"calls_per_round": 100}).run

    assert (run["status"], run["tool_calls"]) == ("completed", 100)
    assert largest_state(laptop, run["run_id"]) <= MAX_STATE_BYTES


def test_more_calls_than_any_run_may_make_at_once_are_refused(runs: Runs, laptop: LocalStack) -> None:
    model = laptop.emulator.brain.script(
        CallTools(tuple(Call("nothing", "{}") for _ in range(101))), Say("Never.")
    )

    run = runs.run("Go.", model=model, limits={"calls_per_round": 100}).run

    assert run["failure"]["code"] == "limit_calls_per_round"
    assert "101 tools at once; 100 are allowed" in run["failure"]["message"]


def test_the_name_of_an_unknown_tool_may_be_long(runs: Runs, laptop: LocalStack) -> None:
    ended = followed(runs, laptop, "responses", Call("x" * 100_000, "{}"))

    assert ended.outputs[0]["error"].startswith("There is no tool xxx")
    assert len(ended.outputs[0]["error"]) < 200


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("letter", ["x", "ä", "😀"], ids=["ascii", "latin", "emoji"])
def test_a_message_of_450_kb_comes_back_whole(runs: Runs, laptop: LocalStack, api: str, letter: str) -> None:
    text = letter * (450_000 // len(letter.encode()))

    ended = runs.follow(Say(text), api=api)

    assert ended.run["message"] == text
    assert largest_state(laptop, ended.run["run_id"]) <= MAX_STATE_BYTES


def test_a_prompt_of_200_kb_is_refused_with_the_figures(runs: Runs) -> None:
    refused = runs.post({"prompt": "x" * 200_000})

    assert refused.status_code == 400
    assert json.loads(refused.content)["errors"] == [
        {"field": "prompt", "reason": "must be at most 102,400 bytes of UTF-8, not 200,000"}
    ]
