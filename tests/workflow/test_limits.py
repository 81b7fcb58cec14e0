"""A run is stopped at its limits: upstream too, and its record says which limit, with the figures."""

import json

import pytest
from support.runs import Ended, Runs

from local.openai_emulator import (
    Call,
    CallTools,
    Say,
    Step,
)
from local.stack import LocalStack

APIS = ["responses", "assistants", "agents"]


def limited(runs: Runs, laptop: LocalStack, api: str, limits: dict[str, int], *steps: Step) -> Ended:
    """A run that ends at a limit."""
    model = laptop.emulator.brain.script(*steps)
    ended = runs.run("Go.", model=model, run_api=api, limits=limits)
    last = laptop.emulator.brain.begun[model][-1]
    assert last.phase in ("cancelled", "done"), "nothing goes on upstream"
    assert ended.run["status"] == "failed"
    assert ended.execution["status"] == "FAILED"
    return ended


def fetches(laptop: LocalStack, count: int) -> CallTools:
    return CallTools(tuple(Call.of("fetch", url=f"{laptop.addresses.pages}/tides") for _ in range(count)))


@pytest.mark.parametrize("api", APIS)
def test_too_many_calls_at_once_are_not_made(runs: Runs, laptop: LocalStack, api: str) -> None:
    ended = limited(runs, laptop, api, {"calls_per_round": 3}, fetches(laptop, 4), Say("Never."))

    assert ended.run["failure"] == {
        "status": "failed",
        "code": "limit_calls_per_round",
        "message": "The model asked for 4 tools at once; 3 are allowed.",
    }
    assert ended.run["tool_calls"] == 0


@pytest.mark.parametrize("api", APIS)
def test_as_many_calls_as_are_allowed_are_made(runs: Runs, laptop: LocalStack, api: str) -> None:
    model = laptop.emulator.brain.script(fetches(laptop, 3), Say("Done."))

    run = runs.run("Go.", model=model, run_api=api, limits={"calls_per_round": 3}).run

    assert (run["status"], run["tool_calls"]) == ("completed", 3)


def test_a_model_that_has_used_up_its_tokens_gets_no_more_tools(runs: Runs, laptop: LocalStack) -> None:
    """Only the Responses API tells what each turn used; the others tell it at the end."""
    ended = limited(
        runs, laptop, "responses", {"tokens": 300}, fetches(laptop, 1), fetches(laptop, 1), Say("Never.")
    )

    failure, used = ended.run["failure"], ended.run["usage"]["total_tokens"]
    assert failure["code"] == "limit_tokens"
    assert used >= 300
    assert failure["message"] == f"The model asked for tools again after {used} tokens; 300 are allowed."
    assert ended.run["tool_calls"] == 1


def test_a_message_that_is_there_is_kept_whatever_it_cost(runs: Runs, laptop: LocalStack) -> None:
    model = laptop.emulator.brain.script(Say("word " * 1000))

    run = runs.run("Go.", model=model, limits={"tokens": 1}).run

    assert run["status"] == "completed"
    assert run["usage"]["total_tokens"] > 1


@pytest.mark.parametrize(
    ("field", "most"), [("rounds", 50), ("calls_per_round", 100), ("seconds", 14_400), ("tokens", 20_000_000)]
)
def test_no_run_may_have_more_than_the_hard_maxima(runs: Runs, field: str, most: int) -> None:
    refused = runs.post({"prompt": "Go.", "limits": {field: most + 1}})

    assert refused.status_code == 400
    assert json.loads(refused.content)["errors"][0]["field"] == f"limits.{field}"
