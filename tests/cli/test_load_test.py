"""`upcall bench load`: its audit, its report, its plot, and a small load test."""

import json
import os
import re
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cli.load_test.audit import RunEvidence, find_duplicates, find_losses
from cli.load_test.plot import draw_svg
from cli.load_test.rate_limits import RateLimitReport
from cli.load_test.report import LoadTestReport, percentiles, print_report
from cli.load_test.runner import RunResult
from cli.load_test.webhooks import WebhookReport
from upcall.domain.run import Run

from .conftest import Upcall, one_line_error, plain_console, printed_text

TIMEOUT_SECONDS = 300
"""The load test takes half a minute on an idle machine."""

RUN = Run.new(
    owner="anybody",
    prompt="Go.",
    assistant="summarizer",
    model="m",
    run_api="responses",
    created_at=datetime.now(UTC),
).model_copy(
    update={"status": "completed", "ended_at": datetime.now(UTC), "message_parts": 1, "tool_calls": 2}
)
COMPLETE = RunEvidence(RUN, "Done.", 1, Counter(c1=1, c2=1), ("SUCCEEDED",), 1)

REPORT = LoadTestReport(
    runs=2,
    concurrency=1,
    seconds=3.0,
    statuses={"completed": 1, "failed": 1},
    failure_codes={"server_error": 1},
    lost=["run_1: has no record"],
    duplicates=["run_2: has 2 executions"],
    runs_per_second=0.67,
    latency={"p50": 1.0},
    peak_megabytes=100,
    requests=10,
    faults={"429": 2},
    turns=3,
)


def test_a_complete_run_is_neither_lost_nor_duplicate() -> None:
    assert [*find_losses(COMPLETE), *find_duplicates(COMPLETE)] == []


@pytest.mark.parametrize(
    ("evidence", "finding"),
    [
        (replace(COMPLETE, run=None), "has no record"),
        (replace(COMPLETE, run=RUN.model_copy(update={"status": "in_progress"})), "is in_progress"),
        (replace(COMPLETE, message=None), "has no message"),
        (replace(COMPLETE, calls=Counter(c1=1)), "has calls that are not in the ledger"),
        (replace(COMPLETE, executions=()), "has no execution that has ended"),
        (replace(COMPLETE, executions=("RUNNING",)), "has no execution that has ended"),
        (replace(COMPLETE, events=0), "has no published event"),
    ],
)
def test_what_is_missing_is_a_loss(evidence: RunEvidence, finding: str) -> None:
    assert list(find_losses(evidence)) == [finding]


@pytest.mark.parametrize(
    ("evidence", "finding"),
    [
        (replace(COMPLETE, message_items=2), "has parts of a second message"),
        (replace(COMPLETE, calls=Counter(c1=2)), "has c1 2 times in the ledger"),
        (
            replace(COMPLETE, calls=Counter(c1=1, c2=1, c3=1)),
            "has calls in the ledger that its record does not count",
        ),
        (replace(COMPLETE, executions=("SUCCEEDED", "SUCCEEDED")), "has 2 executions"),
        (replace(COMPLETE, events=2), "has 2 published events"),
    ],
)
def test_what_exists_twice_is_a_duplicate(evidence: RunEvidence, finding: str) -> None:
    assert list(find_duplicates(evidence)) == [finding]


def test_percentiles_are_interpolated() -> None:
    assert percentiles([]) == {}
    assert percentiles([3]) == {"p50": 3, "p95": 3, "p99": 3}
    assert percentiles(range(101)) == {"p50": 50, "p95": 95, "p99": 99}


def test_the_plot_ends_with_all_runs_that_ended_and_no_open_run() -> None:
    results = [RunResult(started=n, ended=n + 2, run_id=f"run_{n}", run=None) for n in range(4)]
    svg = draw_svg(results)
    finished, open_runs = (points.split() for points in re.findall('points="([^"]+)"', svg))

    assert finished[-1].endswith(",260.0")  # the API showed the end of none of them
    assert open_runs[-1].endswith(",260.0")
    assert min(float(point.split(",")[1]) for point in open_runs) == 40


def test_the_report_names_lost_runs_and_duplicates() -> None:
    console = plain_console()
    print_report(console, REPORT)
    text = printed_text(console)

    assert not REPORT.passed
    assert "1 x server_error" in text
    assert "10 requests, 2 faults, 3 turns" in text
    assert "lost: run_1: has no record" in text
    assert "duplicate: run_2: has 2 executions" in text


def load_test(upcall: Upcall, *options: str, **process: Any) -> dict[str, Any]:
    """The report of a load test that has passed."""
    done = upcall("bench", "load", *options, "--json", timeout_seconds=TIMEOUT_SECONDS, **process)
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_a_small_load_test_with_faults_loses_and_duplicates_nothing(upcall: Upcall, tmp_path: Path) -> None:
    """Twenty runs on a stack of their own. 15% of the emulator's responses are faulty.

    Seven in a row, which fail a run, happen once in 600,000 requests.
    """
    plot = tmp_path / "load.svg"
    options = "--runs 20 --concurrency 10 --faults 0.15 --seed 7 --plot"
    report = load_test(upcall, *options.split(), str(plot))

    assert report["failure_codes"] == {}
    assert (report["statuses"], report["lost"], report["duplicates"]) == ({"completed": 20}, [], [])
    assert 0.05 < sum(report["faults"].values()) / report["requests"] < 0.3
    assert report["turns"] >= 40
    assert set(report["latency"]) == {"p50", "p95", "p99"}
    assert plot.read_text("utf-8").startswith("<svg")


def test_a_small_load_test_with_webhooks_loses_and_duplicates_nothing(upcall: Upcall) -> None:
    """Twenty pushed runs. Here the time-out of a task, after a lost webhook, comes after 20 seconds."""
    options = "--webhooks --runs 20 --concurrency 20 --faults 0 --seed 7"
    report = load_test(
        upcall,
        *options.split(),
        command=(sys.executable, "-m", "support.task_timeouts", "20"),
        PYTHONPATH=os.pathsep.join(filter(None, sys.path)),
    )

    assert (report["statuses"], report["lost"], report["duplicates"]) == ({"completed": 20}, [], [])
    webhooks = report["webhooks"]
    assert webhooks["pushed"] == 20
    assert webhooks["completed_tasks"] >= 10
    assert set(webhooks["faults"]) == {"duplicated", "forged", "lost", "reordered"}
    assert set(webhooks["statuses"]) == {"200"}
    assert webhooks["forged_statuses"] == {"401": webhooks["faults"]["forged"]}
    assert webhooks["rejected"] == webhooks["faults"]["forged"]


@pytest.mark.parametrize(
    ("changes", "passed"),
    [
        ({}, True),
        ({"forged_statuses": {0: 1, 401: 1}}, True),
        ({"forged_statuses": {200: 1, 401: 1}}, False),
        ({"statuses": {200: 7, 401: 1}}, False),
        ({"rejected": 1}, False),
    ],
)
def test_the_report_fails_if_a_forged_webhook_is_not_rejected(changes: dict[str, Any], passed: bool) -> None:
    webhooks = WebhookReport(
        pushed=2,
        sent=8,
        faults={"lost": 1, "forged": 2},
        statuses={200: 7},
        forged_statuses={401: 2},
        rejected=2,
        completed_tasks=3,
    )
    report = replace(REPORT, lost=[], duplicates=[], webhooks=replace(webhooks, **changes))
    console = plain_console()
    print_report(console, report)
    text = printed_text(console)

    assert report.passed == passed
    assert "8, of them 1 x lost, 2 x forged" in text
    assert "RejectedWebhooks" in text


def test_the_report_says_how_many_requests_the_rate_limits_refused() -> None:
    console = plain_console()
    print_report(console, replace(REPORT, rate_limits=RateLimitReport(400, 8, 0.02)))

    assert "400 requests for turns, 8 refused (2.0%)" in printed_text(console)


def test_runs_of_the_assistants_api_cannot_be_pushed(upcall: Upcall) -> None:
    error = one_line_error(upcall("bench", "load", "--webhooks", "--api", "assistants"))
    assert "the Assistants API has no webhooks" in error


def test_an_unknown_run_api_is_a_one_line_error(upcall: Upcall) -> None:
    error = one_line_error(upcall("bench", "load", "--api", "x"))
    assert "should be 'responses', 'assistants' or 'agents'" in error
