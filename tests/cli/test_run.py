"""`upcall run`, `list` and `show`, as a newcomer would try them."""

import json
import re

from cli.terminal.render import status_of
from local import sample_pages
from local.config import ROOT
from local.openai_emulator import (
    Call,
    CallTools,
    Fail,
    Say,
)
from local.stack import LocalStack

from .conftest import Upcall, problem


def test_a_newcomer_sees_a_page_summarised_and_finds_it_in_the_table(upcall: Upcall) -> None:
    run = upcall("run")

    assert run.returncode == 0, run.stderr
    text = (sample_pages.FOLDER / "tides.html").read_text("utf-8")
    title, _, summary = run.stdout.strip().partition(": ")
    assert f"<title>{title}</title>" in text
    sentences = summary.rstrip(".").split(". ")
    assert len(sentences) == 3
    assert all(f"{sentence}." in text for sentence in sentences)
    for state in ("Create run", "Poll run", "Call tools", "Submit tool outputs", "Save message"):
        assert re.search(rf"✓ +\d\.\d s  {state}", run.stderr)
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


def test_a_run_for_machines_is_json_and_nothing_else(upcall: Upcall) -> None:
    run = upcall("run", "Hello.", "--json", "--model", "any")

    outcome = json.loads(run.stdout)
    assert (run.returncode, outcome["status"], outcome["model"]) == (0, "completed", "any")
    assert outcome["transitions"] > 5
    assert 0 < outcome["estimated_dollars"] < 0.01
    assert outcome["ledger"] == []
    listed = json.loads(upcall("list", "--json", "--status", "completed", "--limit", "1").stdout)
    assert [each["run_id"] for each in listed] == [outcome["run_id"]]


def test_a_server_of_the_users_own_drives_the_run(upcall: Upcall, laptop: LocalStack) -> None:
    model = laptop.emulator.script(CallTools((Call.of("nothing", x="y"),)), Say("From [elsewhere] :smile:."))
    url = laptop.emulator.base_url
    run = upcall("run", "Go.", "--model", model, OPENAI_BASE_URL=url, OPENAI_API_KEY="x")

    assert run.returncode == 0, run.stderr
    assert run.stdout == "From [elsewhere] :smile:.\n"
    assert url in run.stderr
    assert " s    nothing y  There is no tool nothing. There is: fetch, read_object." in run.stderr


def test_a_run_that_fails_says_why_and_exits_with_1(upcall: Upcall, laptop: LocalStack) -> None:
    model = laptop.emulator.script(Fail("server_error", "The model is on fire."))
    run = upcall("run", "Go.", "--model", model, OPENAI_BASE_URL=laptop.emulator.base_url)

    assert (run.returncode, run.stdout) == (1, "")
    assert "server_error: The model is on fire." in run.stderr
    assert "failed · 0 rounds" in run.stderr


def test_bad_input_is_one_line_and_exit_code_2(upcall: Upcall) -> None:
    assert problem(upcall("run", "  ")) == "upcall: prompt: must not be empty"
    assert "at most 102,400 bytes of UTF-8, not 102,401" in problem(upcall("run", "x" * 102_401))
    assert problem(upcall("run", "Go.", "--model", "")) == (
        "upcall: model: String should have at least 1 character"
    )
    assert problem(upcall("run", "Go.", "--api", "chat")).startswith("upcall: run_api: Input should be")
    assert problem(upcall("show", "run_x")) == "upcall: there is no run 'run_x'"
    assert problem(upcall("list", "--status", "done")).startswith("upcall: there is no status 'done'")


def test_there_is_a_word_for_every_status() -> None:
    assert status_of(None) is None
    assert status_of("completed") == "completed"


def test_the_state_folder_is_not_under_version_control() -> None:
    assert ".upcall/" in (ROOT / ".gitignore").read_text("utf-8").splitlines()
