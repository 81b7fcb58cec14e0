"""A run that exceeds a limit is stopped here and upstream. Its record says which limit, with the numbers."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.runs import EndedRun, Runs

from local.openai_emulator import Call, CallTools, Hang, Say, Step
from local.stack import LocalStack
from upcall.domain import assistants

APIS = ["responses", "assistants", "agents"]


def run_beyond_limit(
    runs: Runs, local_stack: LocalStack, api: str, limits: dict[str, int], *steps: Step
) -> EndedRun:
    """A run that is stopped at a limit."""
    model = local_stack.emulator.script(*steps)
    ended = runs.run("Go.", model=model, run_api=api, limits=limits)
    last_turn = local_stack.emulator.models.started_turns[model][-1]
    assert last_turn.phase in ("cancelled", "done"), "nothing is left running upstream"
    assert ended.run["status"] == "failed"
    assert ended.execution["status"] == "FAILED"
    return ended


IMPATIENT = """
description = "Has no patience."
instructions = "Be quick."

[limits]
seconds = 2
"""


@pytest.fixture
def impatient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of an assistant whose runs may take two seconds."""
    (tmp_path / "impatient.toml").write_text(IMPATIENT, "utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(assistants, "FOLDER", tmp_path)
        assistants.all_assistants.cache_clear()
        yield "impatient"
    assistants.all_assistants.cache_clear()


def fetches(local_stack: LocalStack, count: int) -> CallTools:
    url = f"{local_stack.endpoints.pages}/tides"
    return CallTools(tuple(Call.of("fetch", url=url) for _ in range(count)))


@pytest.mark.parametrize("api", APIS)
def test_more_calls_than_are_allowed_at_once_are_not_made(
    runs: Runs, local_stack: LocalStack, api: str
) -> None:
    calls = fetches(local_stack, 4)
    ended = run_beyond_limit(runs, local_stack, api, {"calls_per_round": 3}, calls, Say("Never."))

    assert ended.run["failure"] == {
        "status": "failed",
        "code": "limit_calls_per_round",
        "message": "The model asked for 4 tools at once; 3 are allowed.",
    }
    assert ended.run["tool_calls"] == 0


@pytest.mark.parametrize("api", APIS)
def test_as_many_calls_as_are_allowed_are_made(runs: Runs, local_stack: LocalStack, api: str) -> None:
    model = local_stack.emulator.script(fetches(local_stack, 3), Say("Done."))

    run = runs.run("Go.", model=model, run_api=api, limits={"calls_per_round": 3}).run

    assert (run["status"], run["tool_calls"]) == ("completed", 3)


def test_no_tool_is_called_after_the_tokens_are_used_up(runs: Runs, local_stack: LocalStack) -> None:
    """Only the Responses API counts the tokens of each turn. The others count them at the end."""
    steps = (fetches(local_stack, 1), fetches(local_stack, 1), Say("Never."))
    ended = run_beyond_limit(runs, local_stack, "responses", {"tokens": 300}, *steps)

    failure, used = ended.run["failure"], ended.run["usage"]["total_tokens"]
    assert failure["code"] == "limit_tokens"
    assert used >= 300
    assert failure["message"] == f"The model asked for tools again after {used} tokens; 300 are allowed."
    assert ended.run["tool_calls"] == 1


def test_a_message_is_kept_however_many_tokens_it_took(runs: Runs, local_stack: LocalStack) -> None:
    model = local_stack.emulator.script(Say("word " * 1000))

    run = runs.run("Go.", model=model, limits={"tokens": 1}).run

    assert run["status"] == "completed"
    assert run["usage"]["total_tokens"] > 1


@pytest.mark.parametrize("api", APIS)
def test_a_run_that_takes_too_long_is_stopped_here_and_upstream(
    runs: Runs, local_stack: LocalStack, impatient: str, api: str
) -> None:
    model = local_stack.emulator.script(Hang())

    ended = runs.run("Go.", assistant=impatient, model=model, run_api=api)

    assert ended.run["status"] == "failed"
    assert ended.run["failure"]["code"] == "limit_seconds"
    assert ended.run["failure"]["message"] == "The run was not done after 2 seconds."
    assert [turn.phase for turn in local_stack.emulator.models.started_turns[model]] == ["cancelled"]


@pytest.mark.parametrize(
    ("field", "maximum"),
    [("rounds", 50), ("calls_per_round", 100), ("seconds", 43_200), ("tokens", 20_000_000)],
)
def test_a_request_may_not_raise_a_limit_above_the_maximum(runs: Runs, field: str, maximum: int) -> None:
    response = runs.post({"prompt": "Go.", "limits": {field: maximum + 1}})

    assert response.status_code == 400
    assert json.loads(response.content)["errors"][0]["field"] == f"limits.{field}"
