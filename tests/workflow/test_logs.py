"""What the functions log of whole runs: nothing that was said, and always of which run."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.runs_with_planted_secrets import WORDS

from local.config import ROOT


@dataclass(frozen=True)
class Logged:
    """What the functions have logged and printed, and how their runs ended."""

    log: str
    printed: str
    ended: dict[str, Any]

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The lines of the log, which are JSON each."""
        return [json.loads(line) for line in self.log.splitlines()]

    @property
    def ours(self) -> list[dict[str, Any]]:
        """Those that our logger has written, and not Lambda's runtime."""
        return [line for line in self.lines if line.get("service") == "upcall"]


def logged(folder: Path, level: str) -> Logged:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "tests"),
        "POWERTOOLS_LOG_LEVEL": level,
    }
    done = subprocess.run(
        [sys.executable, "-m", "support.planted", str(folder)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    log = (folder / "functions.log").read_text("utf-8")
    ended = json.loads((folder / "ended.json").read_text("utf-8"))
    return Logged(log, done.stdout + done.stderr, ended)


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Logged:
    """What is logged at the default level."""
    return logged(tmp_path_factory.mktemp("usual"), "INFO")


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: pytest.TempPathFactory) -> Logged:
    """What is logged at DEBUG."""
    return logged(tmp_path_factory.mktemp("talkative"), "DEBUG")


def test_the_runs_went_the_ways_that_they_were_to_go(usual: Logged) -> None:
    statuses = {name: ended["status"] for name, ended in usual.ended.items() if isinstance(ended, dict)}

    assert statuses == {
        "completed": "completed",
        "tool errors": "completed",
        "notified": "completed",
        "weather": "completed",
        "failed": "failed",
        "refused create": "failed",
        "refused poll": "failed",
        "refused submit": "failed",
    }
    for name in ("create", "poll", "submit"):
        assert WORDS["SERVER"] in usual.ended[f"refused {name}"]["failure"]["message"], "the record tells all"
    assert usual.ended["tool errors"]["calls"] == 7
    assert set(usual.ended["bad request"]) == {400, 404}
    assert usual.ended["hooked"] > 4, "webhooks and callbacks were posted"


@pytest.mark.parametrize("name", WORDS)
def test_nothing_that_was_said_is_logged(usual: Logged, name: str) -> None:
    for place, text in (("the log", usual.log), ("the terminal", usual.printed)):
        found = [line for line in text.splitlines() if WORDS[name] in line]
        assert not found, f"{name} is in {place}: {found[0][:1000]}"


def test_whatever_is_wrong_is_logged_all_the_same(usual: Logged) -> None:
    said = {(line["message"], line.get("error", "")) for line in usual.ours}

    assert ("step failed", "TransientError") in said
    assert ("step failed", "InvalidInput") in said
    assert ("step failed", "KeyError") in said
    assert ("tool failed", "RuntimeError") in said
    assert ("message buried", "") in said
    assert "message failed" in {message for message, _ in said}
    (unexpected,) = (line for line in usual.ours if line["message"] == "unexpected")
    assert any("workflow.py" in place for place in unexpected["where"])


def test_each_line_says_which_run_and_which_call_it_is_about(usual: Logged) -> None:
    for line in usual.ours:
        step = line.get("step", "")
        if step in WORKFLOW:
            assert line["run_id"].startswith("run_"), line
        elif "tool" in line:
            assert line["run_id"].startswith("run_"), line
            assert line["call_id"], line
        elif step:
            assert line["message_id"], line
            assert line["attempt"] >= 1, line
        else:
            assert {"run_id", "request_id"} & line.keys(), line
    assert {line.get("step") for line in usual.ours} >= WORKFLOW


WORKFLOW = {
    f"handlers.{name}"
    for name in ("create_run", "poll_run", "submit_tool_outputs", "save_message", "record_failure")
}


def test_metrics_are_lines_of_the_same_log(usual: Logged) -> None:
    told = [line for line in usual.ours if "_aws" in line]
    names = {
        metric["Name"]
        for line in told
        for directive in line["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]
    }

    assert names >= {"Runs", "RunSeconds", "Rounds", "InputTokens", "ToolLatency", "PollLag", "MessageErrors"}
    assert "_aws" not in usual.printed


@pytest.mark.parametrize("name", ["ARGUMENT", "PAGE", "CRASH"])
def test_at_the_level_debug_the_words_are_there(talkative: Logged, name: str) -> None:
    """So this test would see them."""
    assert WORDS[name] in talkative.log


@pytest.mark.parametrize("name", ["API_KEY", "WEBHOOK_SECRET", "OWN_CALLBACK_SECRET"])
def test_a_secret_is_not_logged_at_any_level(talkative: Logged, name: str) -> None:
    planted_by_the_server = [line for line in talkative.log.splitlines() if WORDS["SERVER"] in line]
    rest = [line for line in talkative.log.splitlines() if line not in planted_by_the_server]

    assert WORDS[name] not in "\n".join(rest)
    assert WORDS[name] not in talkative.printed
