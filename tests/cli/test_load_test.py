"""`upcall bench load`: its audit, its report, its plot, and a small load test."""

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cli.load_test.audit import RunEvidence, find_duplicates, find_losses
from cli.load_test.plot import draw_svg
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
    report = LoadTestReport(
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
    console = plain_console()
    print_report(console, report)
    text = printed_text(console)

    assert not report.passed
    assert "1 x server_error" in text
    assert "10 requests, 2 faults, 3 turns" in text
    assert "lost: run_1: has no record" in text
    assert "duplicate: run_2: has 2 executions" in text


def load_test(upcall: Upcall, *options: str) -> dict[str, Any]:
    """The report of a load test that has passed."""
    done = upcall("bench", "load", *options, "--json", timeout_seconds=TIMEOUT_SECONDS)
    assert done.returncode == 0, done.stderr
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


def test_a_small_load_test_of_pushed_runs_accepts_no_forged_webhook(upcall: Upcall) -> None:
    """Five runs, whose ten webhooks are late, doubled or reordered. With this seed none is lost."""
    options = "--webhooks --runs 5 --concurrency 5 --faults 0 --seed 26"
    report = load_test(upcall, *options.split())

    assert (report["statuses"], report["lost"], report["duplicates"]) == ({"completed": 5}, [], [])
    webhooks = report["webhooks"]
    assert (webhooks["pushed"], webhooks["sent"], set(webhooks["statuses"])) == (5, 10, {"200"})
    assert webhooks["forged_statuses"] == {"401": webhooks["faults"]["forged"]}
    assert webhooks["rejected"] == webhooks["faults"]["forged"]


WEBHOOKS = WebhookReport(
    pushed=1, sent=2, faults={"forged": 1}, statuses={200: 2}, forged_statuses={401: 1}, rejected=1
)


def test_the_webhooks_of_a_load_test_pass_if_all_forged_ones_were_rejected() -> None:
    assert WEBHOOKS.passed


@pytest.mark.parametrize(
    "changes", [{"forged_statuses": {200: 1}}, {"statuses": {200: 1, 401: 1}}, {"rejected": 0}]
)
def test_a_forged_webhook_that_was_accepted_or_not_counted_fails_a_load_test(changes: dict[str, Any]) -> None:
    assert not replace(WEBHOOKS, **changes).passed


def test_an_unknown_run_api_is_a_one_line_error(upcall: Upcall) -> None:
    error = one_line_error(upcall("bench", "load", "--api", "x"))
    assert "should be 'responses', 'assistants' or 'agents'" in error
