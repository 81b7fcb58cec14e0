"""A run from POST to message: the real definition, the real handlers, OpenAI over HTTP."""

import time

import pytest
from support.runs import Runs

from local.openai_emulator import Call, CallTools, Say
from local.stack import LocalStack


def test_a_run_without_tools_ends_with_the_models_message(runs: Runs) -> None:
    ended = runs.follow(Say("Hello."))

    assert ended.run["status"] == "completed"
    assert ended.run["message"] == "Hello."
    assert ended.run["round"] == 0
    assert ended.execution["status"] == "SUCCEEDED"


def test_the_offline_model_fetches_the_page_and_summarises_it(runs: Runs, laptop: LocalStack) -> None:
    ended = runs.run(f"Summarise {laptop.addresses.pages}/tides")

    assert ended.run["status"] == "completed"
    assert (ended.run["round"], ended.run["tool_calls"]) == (1, 1)
    assert "Most coasts see two high tides in a little under twenty-five hours." in ended.run["message"]


def test_two_pages_are_fetched_in_parallel_in_one_round(runs: Runs, laptop: LocalStack) -> None:
    pages = laptop.addresses.pages
    ended = runs.run(f"Compare {pages}/tides and {pages}/lighthouses.")

    assert (ended.run["round"], ended.run["tool_calls"]) == (1, 2)
    assert "tide" in ended.run["message"]
    assert "lighthouse" in ended.run["message"]


def test_three_rounds_are_three_rounds_in_the_ledger(runs: Runs, laptop: LocalStack) -> None:
    call = CallTools((Call.of("fetch", url=f"{laptop.addresses.pages}/bread"),))
    ended = runs.follow(call, call, call, Say("Done."))

    assert (ended.run["round"], ended.run["tool_calls"]) == (3, 3)
    assert ended.run["message"] == "Done."


def test_tokens_of_all_turns_are_added_up(runs: Runs, laptop: LocalStack) -> None:
    call = CallTools((Call.of("fetch", url=f"{laptop.addresses.pages}/bread"),))
    one_turn = runs.follow(Say("Done.")).run["usage"]
    two_turns = runs.follow(call, Say("Done.")).run["usage"]

    assert two_turns["input_tokens"] > 2 * one_turn["input_tokens"]
    assert two_turns["total_tokens"] == two_turns["input_tokens"] + two_turns["output_tokens"]


def test_characters_of_all_planes_reach_the_model_and_come_back(runs: Runs) -> None:
    said = 'Grüße 😀 \u2028 "quoted" \\ $states {% not an expression %}\n'
    ended = runs.follow(Say(said), prompt=f"Say: {said}")

    assert ended.run["message"] == said
    assert ended.heard[0].prompt == f"Say: {said}"


def test_a_message_larger_than_an_item_is_stored_whole(runs: Runs) -> None:
    said = "".join(f"{number} ä😀\n" for number in range(60_000))
    ended = runs.follow(Say(said))

    assert len(said.encode()) > 700_000
    assert ended.run["message"] == said


def test_ten_long_pages_at_once_fit_into_the_state_and_say_how_to_read_on(
    runs: Runs, laptop: LocalStack
) -> None:
    call = Call.of("fetch", url=f"{laptop.addresses.pages}/long")
    ended = runs.follow(CallTools((call,) * 10), Say("Long."))

    assert ended.run["status"] == "completed"
    assert len(ended.outputs) == 10
    assert all(page["next_offset"] == len(page["text"]) > 10_000 for page in ended.outputs)


def test_an_ended_run_has_its_times(runs: Runs) -> None:
    before = time.time()
    run = runs.follow(Say("Hello.")).run

    assert run["created_at"] <= run["ended_at"]
    assert run["created_at"] >= time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(before))


@pytest.mark.parametrize("model", ["some-model", "vendor/model:free"])
def test_the_model_of_the_request_is_the_one_that_is_asked(
    runs: Runs, laptop: LocalStack, model: str
) -> None:
    runs.run("Hello.", model=model)

    assert model in laptop.emulator.brain.heard
