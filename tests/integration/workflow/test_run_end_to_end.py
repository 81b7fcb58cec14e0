"""A run from POST to message: the real workflow, the real handlers, OpenAI over HTTP."""

from datetime import UTC, datetime

import pytest
from support.runs import Runs

from local.openai_emulator import Call, CallTools, Say
from local.stack import LocalStack


def test_a_run_without_tools_completes_with_the_message_of_the_model(runs: Runs) -> None:
    ended = runs.run_script(Say("Hello."))

    assert ended.run["status"] == "completed"
    assert ended.run["message"] == "Hello."
    assert ended.run["round"] == 0
    assert ended.execution["status"] == "SUCCEEDED"


def test_the_offline_model_fetches_the_page_and_summarises_it(runs: Runs, local_stack: LocalStack) -> None:
    ended = runs.run(f"Summarise {local_stack.endpoints.pages}/tides")

    assert ended.run["status"] == "completed"
    assert (ended.run["round"], ended.run["tool_calls"]) == (1, 1)
    assert "Most coasts see two high tides in a little under twenty-five hours." in ended.run["message"]


def test_two_pages_are_fetched_in_parallel_in_one_round(runs: Runs, local_stack: LocalStack) -> None:
    pages = local_stack.endpoints.pages
    ended = runs.run(f"Compare {pages}/tides and {pages}/lighthouses.")

    assert (ended.run["round"], ended.run["tool_calls"]) == (1, 2)
    assert "tide" in ended.run["message"]
    assert "lighthouse" in ended.run["message"]


def test_each_round_is_counted(runs: Runs, local_stack: LocalStack) -> None:
    call = CallTools((Call.of("fetch", url=f"{local_stack.endpoints.pages}/bread"),))
    ended = runs.run_script(call, call, call, Say("Done."))

    assert (ended.run["round"], ended.run["tool_calls"]) == (3, 3)
    assert ended.run["message"] == "Done."


def test_the_tokens_of_all_turns_are_added_up(runs: Runs, local_stack: LocalStack) -> None:
    call = CallTools((Call.of("fetch", url=f"{local_stack.endpoints.pages}/bread"),))
    one_turn = runs.run_script(Say("Done.")).run["usage"]
    two_turns = runs.run_script(call, Say("Done.")).run["usage"]

    assert two_turns["input_tokens"] > 2 * one_turn["input_tokens"]
    assert two_turns["total_tokens"] == two_turns["input_tokens"] + two_turns["output_tokens"]


def test_prompt_and_message_keep_every_unicode_character(runs: Runs) -> None:
    text = 'Grüße 😀 \u2028 "quoted" \\ $states {% not an expression %}\n'
    ended = runs.run_script(Say(text), prompt=f"Say: {text}")

    assert ended.run["message"] == text
    assert ended.conversations[0].prompt == f"Say: {text}"


def test_a_message_larger_than_a_table_item_is_stored_whole(runs: Runs) -> None:
    text = "".join(f"{number} ä😀\n" for number in range(60_000))
    ended = runs.run_script(Say(text))

    assert len(text.encode()) > 700_000
    assert ended.run["message"] == text


def test_ten_long_pages_in_one_round_fit_into_the_state_and_say_where_to_continue(
    runs: Runs, local_stack: LocalStack
) -> None:
    call = Call.of("fetch", url=f"{local_stack.endpoints.pages}/long")
    ended = runs.run_script(CallTools((call,) * 10), Say("Long."))

    assert ended.run["status"] == "completed"
    assert len(ended.outputs) == 10
    assert all(page["next_offset"] == len(page["text"]) > 10_000 for page in ended.outputs)


def test_an_ended_run_says_when_it_was_created_and_when_it_ended(runs: Runs) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    run = runs.run_script(Say("Hello.")).run

    assert run["created_at"] <= run["ended_at"]
    assert run["created_at"] >= before.strftime("%Y-%m-%dT%H:%M:%S")


@pytest.mark.parametrize("model", ["some-model", "vendor/model:free"])
def test_the_requested_model_is_used(runs: Runs, local_stack: LocalStack, model: str) -> None:
    runs.run("Hello.", model=model)

    assert model in local_stack.emulator.models.conversations
