"""Metrics as CloudWatch reads them: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/ (EMF)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.log_capture import Lines, written

from local.lambda_runtime import function_environment
from upcall.domain.run import Run
from upcall.domain.upstream_run import UpstreamSnapshot
from upcall.domain.usage import Usage
from upcall.observability import metrics
from upcall.use_cases.poll_run import watch

IN_A_FUNCTION = {"POWERTOOLS_METRICS_NAMESPACE": "Upcall/test"}
NOW = datetime.now(UTC)
RUN = Run(
    run_id="run_1",
    status="failed",
    assistant="summarizer",
    model="m",
    run_api="responses",
    round=3,
    usage=Usage(input_tokens=100, output_tokens=20, total_tokens=120),
    created_at=NOW - timedelta(seconds=90),
    ended_at=NOW,
)


def told(lines: Lines) -> dict[str, tuple[str, list[float], dict[str, str]]]:
    """Each metric as CloudWatch reads it: unit, values, dimensions."""
    found = {}
    for line in lines.parsed:
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == "Upcall/test"
        assert abs(line["_aws"]["Timestamp"] - datetime.now(UTC).timestamp() * 1000) < 60_000
        (names,) = directive["Dimensions"]
        for metric in directive["Metrics"]:
            dimensions = {name: line[name] for name in names}
            found[metric["Name"]] = (metric["Unit"], line[metric["Name"]], dimensions)
    return found


def test_a_run_that_has_ended_is_counted_by_its_status() -> None:
    with function_environment(IN_A_FUNCTION), written() as lines:
        metrics.run_ended(RUN)

    assert told(lines) == {
        "Runs": ("Count", [1], {"status": "failed"}),
        "RunSeconds": ("Seconds", [90], {"status": "failed"}),
        "Rounds": ("Count", [3], {}),
        "InputTokens": ("Count", [100], {}),
        "OutputTokens": ("Count", [20], {}),
    }
    assert all(line["run_id"] == "run_1" for line in lines.parsed)


def test_calls_sweeps_and_messages() -> None:
    with function_environment(IN_A_FUNCTION), written() as lines:
        metrics.tool_called("fetch", "error", 250)
        metrics.swept(7, 2)
        metrics.message_failed()

    assert told(lines) == {
        "ToolLatency": ("Milliseconds", [250], {"tool": "fetch", "outcome": "error"}),
        "OpenRuns": ("Count", [7], {}),
        "StuckRuns": ("Count", [2], {}),
        "MessageErrors": ("Count", [1], {}),
    }


@pytest.mark.parametrize("level", ["DEBUG", "WARNING", "ERROR"])
def test_metrics_are_told_at_every_log_level(level: str) -> None:
    with function_environment(IN_A_FUNCTION), written(level) as lines:
        metrics.message_failed()

    assert told(lines).keys() == {"MessageErrors"}
    assert lines.parsed[0]["level"] == ("INFO" if level == "DEBUG" else level), "Lambda filters by it, too"


def test_outside_of_a_function_nothing_is_told() -> None:
    with written() as lines:
        metrics.run_ended(RUN)

    assert lines.text == ""


def seen(*looks: Any) -> dict[str, tuple[str, list[float], dict[str, str]]]:
    waiting = iter(looks)
    with function_environment(IN_A_FUNCTION), written() as lines:
        watch(lambda: next(waiting), 5)
    return told(lines)


def test_the_lag_of_a_poll_goes_back_to_the_last_look_that_saw_the_run_at_work() -> None:
    working = UpstreamSnapshot(status="in_progress", pause_seconds=0.05)
    (unit, (milliseconds,), by) = seen(working, working, UpstreamSnapshot(status="completed"))["PollLag"]

    assert (unit, by) == ("Milliseconds", {})
    assert milliseconds >= 50


def test_of_a_change_that_the_first_look_sees_nobody_knows_how_old_it_is() -> None:
    assert seen(UpstreamSnapshot(status="completed")) == {}
