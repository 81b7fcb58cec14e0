"""The log of whole runs: it has no user data and no secrets, and each line says which run it belongs to."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.runs_with_planted_secrets import PLANTED

from local.config import ROOT

WORKFLOW_HANDLERS = {
    f"handlers.{name}"
    for name in (
        "create_run",
        "poll_run",
        "wait_for_answer",
        "submit_tool_outputs",
        "save_message",
        "record_failure",
    )
}


@dataclass(frozen=True)
class LoggedRuns:
    """What the functions have logged and printed, and the results of their runs."""

    log: str
    printed: str
    results: dict[str, Any]

    @property
    def upcall_lines(self) -> list[dict[str, Any]]:
        """The lines of the log that Upcall's logger has written, without those of Lambda's runtime."""
        lines = [json.loads(line) for line in self.log.splitlines()]
        return [line for line in lines if line.get("service") == "upcall"]


def log_runs(folder: Path, level: str) -> LoggedRuns:
    finished = subprocess.run(
        [sys.executable, "-m", "support.runs_with_planted_secrets", str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}", "POWERTOOLS_LOG_LEVEL": level},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    log = (folder / "functions.log").read_text("utf-8")
    results = json.loads((folder / "results.json").read_text("utf-8"))
    return LoggedRuns(log, finished.stdout + finished.stderr, results)


@pytest.fixture(scope="module")
def at_info(tmp_path_factory: pytest.TempPathFactory) -> LoggedRuns:
    """Runs at the default log level."""
    return log_runs(tmp_path_factory.mktemp("info"), "INFO")


@pytest.fixture(scope="module")
def at_debug(tmp_path_factory: pytest.TempPathFactory) -> LoggedRuns:
    """Runs at the log level DEBUG."""
    return log_runs(tmp_path_factory.mktemp("debug"), "DEBUG")


def test_the_runs_have_the_expected_results(at_info: LoggedRuns) -> None:
    statuses = {
        name: result["status"] for name, result in at_info.results.items() if isinstance(result, dict)
    }

    assert statuses == {
        "completed": "completed",
        "tool errors": "completed",
        "notified": "completed",
        "waited": "completed",
        "transient failure": "completed",
        "transient failure of a task": "failed",
        "failed": "failed",
        "rejected create": "failed",
        "rejected poll": "failed",
        "rejected submit": "failed",
    }
    for operation in ("create", "poll", "submit"):
        failure = at_info.results[f"rejected {operation}"]["failure"]
        assert PLANTED["SERVER"] in failure["message"], "the record has the message of the server"
    assert at_info.results["tool errors"]["calls"] == 7
    assert set(at_info.results["invalid requests"]) == {400, 404}
    assert at_info.results["posted"] > 4, "webhooks and callbacks were posted"
    assert set(at_info.results["traces"]) == {PLANTED["TRACE_HEADER"]}, "traces were sent"


@pytest.mark.parametrize("name", PLANTED)
def test_user_data_and_secrets_are_not_logged(at_info: LoggedRuns, name: str) -> None:
    for place, text in (("the log", at_info.log), ("stdout or stderr", at_info.printed)):
        found = [line for line in text.splitlines() if PLANTED[name] in line]
        assert not found, f"{name} is in {place}: {found[0][:1000]}"


@pytest.mark.parametrize("name", ["ARGUMENT", "REASON", "OUTPUT", "PROMPT"])
def test_events_and_messages_about_calls_that_wait_hold_no_content(at_info: LoggedRuns, name: str) -> None:
    """They say which call waits. Whoever may answer it reads the rest from the API."""
    events, messages = at_info.results["events of calls"], at_info.results["messages about calls"]

    types = sorted(each["detail-type"] for each in events)
    assert types == ["Approval Requested"] * 2 + ["Output Requested"] * 2
    assert sorted(each["type"] for each in messages) == [
        "run.approval_requested",
        "run.output_requested",
        "upcall.approval_requested",
    ]
    assert PLANTED["METADATA"] in json.dumps(events), "the caller's own labels come back"
    assert PLANTED[name] not in json.dumps([events, messages])


def test_errors_are_logged_without_their_messages(at_info: LoggedRuns) -> None:
    messages = {(line["message"], line.get("error", "")) for line in at_info.upcall_lines}

    assert ("task failed", "TransientError") in messages
    assert ("upstream request failed", "503: Service Unavailable") in messages
    assert ("task failed", "InvalidInput") in messages
    assert ("task failed", "KeyError") in messages
    assert ("tool failed", "RuntimeError") in messages
    assert ("message sent to the dead-letter queue", "") in messages
    assert "message failed" in {message for message, _ in messages}
    (failed,) = (line for line in at_info.upcall_lines if line["message"] == "request failed")
    assert any("step_functions.py" in location for location in failed["code_locations"])


def test_each_line_has_the_id_of_its_run_call_request_or_message(at_info: LoggedRuns) -> None:
    for line in at_info.upcall_lines:
        handler = line.get("handler", "")
        if handler in WORKFLOW_HANDLERS:
            assert line["run_id"].startswith("run_"), line
        elif "tool" in line:
            assert line["run_id"].startswith("run_"), line
            assert line["call_id"], line
        elif handler:
            assert line["message_id"], line
            assert line["attempt"] >= 1, line
        else:
            assert {"run_id", "request_id"} & line.keys(), line
    assert {line.get("handler") for line in at_info.upcall_lines} >= WORKFLOW_HANDLERS


def test_metrics_are_lines_of_the_same_log(at_info: LoggedRuns) -> None:
    names = {
        metric["Name"]
        for line in at_info.upcall_lines
        if "_aws" in line
        for directive in line["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]
    }

    assert names >= {"Runs", "RunSeconds", "Rounds", "InputTokens", "ToolLatency", "PollLag", "MessageErrors"}
    assert "_aws" not in at_info.printed


@pytest.mark.parametrize("name", ["ARGUMENT", "PAGE", "CRASH"])
def test_user_data_is_logged_at_debug(at_debug: LoggedRuns, name: str) -> None:
    """This proves that the tests above would find it."""
    assert PLANTED[name] in at_debug.log


@pytest.mark.parametrize("name", ["API_KEY", "WEBHOOK_SECRET", "OWN_CALLBACK_SECRET"])
def test_a_secret_is_not_logged_at_any_level(at_debug: LoggedRuns, name: str) -> None:
    lines = [line for line in at_debug.log.splitlines() if PLANTED["SERVER"] not in line]

    assert PLANTED[name] not in "\n".join(lines), "only the server quotes it"
    assert PLANTED[name] not in at_debug.printed
