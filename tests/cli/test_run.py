"""`upcall run`, `list` and `show` on the local stack."""

import json
import re

import pytest

from cli.backends.base import build_run_request
from cli.errors import CommandError
from cli.terminal.run_output import parse_status
from local import sample_pages
from local.config import ROOT
from local.openai_emulator import Call, CallTools, Fail, Say
from local.stack import LocalStack
from upcall.domain.errors import InvalidInput

from .conftest import Upcall, one_line_error


def test_the_first_command_summarises_a_page_and_the_run_is_saved(upcall: Upcall) -> None:
    run = upcall("run")

    assert run.returncode == 0, run.stderr
    text = (sample_pages.FOLDER / "tides.html").read_text("utf-8")
    title, _, summary = run.stdout.strip().partition(": ")
    assert f"<title>{title}</title>" in text
    sentences = summary.rstrip(".").split(". ")
    assert len(sentences) == 3
    assert all(f"{sentence}." in text for sentence in sentences)
    statuses = re.findall(r"✓ +\d\.\d s  (\w+)", run.stderr)
    assert statuses == ["queued", "in_progress", "requires_action", "in_progress"]
    assert "fetch http://127.0.0.1:" in run.stderr
    assert "completed · 1 round · 1 call · " in run.stderr
    assert "state transitions · ≈ $0.000" in run.stderr

    (line, *_) = upcall("list").stdout.splitlines()
    run_id, status, _, prompt = line.split("\t")
    assert (status, prompt.startswith("Summarise http")) == ("completed", True)
    shown = upcall("show", run_id)
    assert run.stdout.strip() in shown.stdout
    assert "round 1  ✓ fetch http://127.0.0.1:" in shown.stdout
    record = json.loads(upcall("show", run_id, "--json").stdout)
    assert record["message"] == run.stdout.strip()
    assert record["ledger"][0]["call"]["name"] == "fetch"


def test_a_later_command_continues_the_conversation_of_an_earlier_one(upcall: Upcall) -> None:
    first = upcall("run", "Hello.", "--api", "assistants")
    assert first.returncode == 0, first.stderr

    run_id = first.stderr.split()[0]
    second = upcall("run", "And now?", "--continue", run_id, "--json")
    outcome = json.loads(second.stdout)
    assert second.returncode == 0, second.stderr
    assert (outcome["run_api"], outcome["previous_run_id"]) == ("assistants", run_id)


def test_a_run_uses_the_server_that_the_environment_names(upcall: Upcall, local_stack: LocalStack) -> None:
    model = local_stack.emulator.script(
        CallTools((Call.of("nothing", x="y"),)), Say("From [elsewhere] :smile:.")
    )
    url = local_stack.emulator.base_url
    run = upcall("run", "Go.", "--model", model, OPENAI_BASE_URL=url, OPENAI_API_KEY="x")

    assert run.returncode == 0, run.stderr
    assert run.stdout == "From [elsewhere] :smile:.\n"
    assert url in run.stderr
    assert " s    nothing y  There is no tool nothing. There is: fetch, read_object." in run.stderr


def test_json_output_is_the_run_and_nothing_else(upcall_on_running_stack: Upcall) -> None:
    run = upcall_on_running_stack("run", "Hello.", "--json", "--model", "any")

    outcome = json.loads(run.stdout)
    assert (run.returncode, outcome["status"], outcome["model"]) == (0, "completed", "any")
    assert outcome["transitions"] == 3
    assert 0 < outcome["estimated_dollars"] < 0.01
    assert outcome["ledger"] == []
    listed = json.loads(
        upcall_on_running_stack("list", "--json", "--status", "completed", "--limit", "1").stdout
    )
    assert [each["run_id"] for each in listed] == [outcome["run_id"]]


@pytest.mark.parametrize("api", ["responses", "assistants", "agents"])
def test_every_run_api_returns_the_same_message(upcall_on_running_stack: Upcall, api: str) -> None:
    run = upcall_on_running_stack("run", "--api", api)

    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("Why the tide comes twice a day: Most coasts see two high tides")


def test_a_run_that_fails_prints_the_failure_and_exits_with_1(
    upcall_on_running_stack: Upcall, local_stack: LocalStack
) -> None:
    model = local_stack.emulator.script(Fail("invalid_prompt", "The model is on fire."))
    run = upcall_on_running_stack("run", "Go.", "--model", model)

    assert (run.returncode, run.stdout) == (1, "")
    assert "invalid_prompt: The model is on fire." in run.stderr
    assert "failed · 0 rounds" in run.stderr


def test_a_failed_run_is_retried_to_its_message(
    upcall_on_running_stack: Upcall, local_stack: LocalStack
) -> None:
    model = local_stack.emulator.script(Fail("invalid_prompt", "The model is on fire."))
    failed = upcall_on_running_stack("run", "Go.", "--model", model, "--json")
    local_stack.emulator.models.replace_steps(model, Say("Done."))
    retried = upcall_on_running_stack("retry", json.loads(failed.stdout)["run_id"])

    assert (retried.returncode, retried.stdout) == (0, "Done.\n"), retried.stderr
    assert "completed · 0 rounds" in retried.stderr


def test_invalid_input_is_a_one_line_error_with_exit_code_2(upcall: Upcall) -> None:
    assert one_line_error(upcall("run", "  ")) == "upcall: prompt: must not be empty"
    assert one_line_error(upcall("show", "run_x")) == "upcall: there is no run 'run_x'"


@pytest.mark.parametrize(
    ("prompt", "fields", "message"),
    [
        ("x" * 102_401, {}, "prompt: must be at most 102,400 bytes of UTF-8, not 102,401"),
        ("Go.", {"model": ""}, "model: String should have at least 1 character"),
        ("Go.", {"run_api": "chat"}, "run_api: Input should be "),
    ],
)
def test_an_invalid_field_is_named(prompt: str, fields: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{re.escape(message)}"):
        build_run_request(prompt, fields)


def test_a_run_with_hours_to_think_shows_them(upcall_on_running_stack: Upcall) -> None:
    done = upcall_on_running_stack("run", "Hello.", "--completion-window", "8h", "--json")
    run = json.loads(done.stdout)

    assert (run["status"], run["completion_window"]) == ("completed", "8h")
    assert run["limits"]["seconds"] == 43_200


def test_an_unknown_completion_window_is_a_one_line_error(upcall_on_running_stack: Upcall) -> None:
    error = one_line_error(upcall_on_running_stack("run", "Hello.", "--completion-window", "3h"))

    assert "completion_window" in error
    assert "'soonest', '2h' or '8h'" in error


def test_what_the_api_rejects_is_a_one_line_error(upcall_on_running_stack: Upcall) -> None:
    assert one_line_error(upcall_on_running_stack("run", "Go.", "--assistant", "nobody")) == (
        "upcall: assistant: there is no assistant 'nobody'; there is announcer, messenger, summarizer"
    )
    assert one_line_error(upcall_on_running_stack("run", "Go.", "--continue", "run_x")) == (
        "upcall: previous_run_id: there is no run 'run_x'"
    )
    assert one_line_error(upcall_on_running_stack("cancel", "run_x")) == "upcall: there is no run 'run_x'"


def test_a_status_is_parsed_by_its_name() -> None:
    assert parse_status(None) is None
    assert parse_status("completed") == "completed"
    with pytest.raises(CommandError, match="there is no status 'done'"):
        parse_status("done")


def test_the_state_folder_is_not_under_version_control() -> None:
    assert ".upcall/" in (ROOT / ".gitignore").read_text("utf-8").splitlines()


def test_a_run_whose_message_is_shown_as_it_is_written_prints_it_once(upcall: Upcall) -> None:
    run = upcall("run", "Hello.", "--stream")

    assert run.returncode == 0, run.stderr
    assert run.stdout.strip()
    assert run.stdout.strip() not in run.stderr


def test_a_run_api_without_streams_is_a_clear_error(upcall: Upcall) -> None:
    run = upcall("run", "Hello.", "--stream", "--api", "agents")

    assert (run.returncode, run.stdout) == (2, "")
    assert "stream: the agents run API does not support it" in run.stderr
