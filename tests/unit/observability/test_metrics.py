"""Metrics as CloudWatch reads them: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/ (EMF)."""

from datetime import UTC, datetime, timedelta

import pytest
from support.log_capture import LogLines, capture_logs
from support.run_records import new_run

from upcall.domain.usage import Usage
from upcall.observability import metrics

Metric = tuple[str, list[float], dict[str, str]]

NOW = datetime.now(UTC)
RUN = new_run(created_at=NOW - timedelta(seconds=90)).model_copy(
    update={
        "status": "failed",
        "round": 3,
        "usage": Usage(input_tokens=100, output_tokens=20, total_tokens=120),
        "ended_at": NOW,
    }
)


@pytest.fixture
def _in_a_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Upcall/test")


def read_metrics(lines: LogLines) -> dict[str, Metric]:
    """Unit, values and dimensions of each metric."""
    found: dict[str, Metric] = {}
    for line in lines.parsed:
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == "Upcall/test"
        assert abs(line["_aws"]["Timestamp"] - datetime.now(UTC).timestamp() * 1000) < 60_000
        (names,) = directive["Dimensions"]
        for metric in directive["Metrics"]:
            dimensions = {name: line[name] for name in names}
            found[metric["Name"]] = (metric["Unit"], line[metric["Name"]], dimensions)
    return found


@pytest.mark.usefixtures("_in_a_function")
def test_a_run_that_has_ended_is_counted_by_its_status() -> None:
    with capture_logs() as lines:
        metrics.record_run_ended(RUN)

    assert read_metrics(lines) == {
        "Runs": ("Count", [1], {"status": "failed"}),
        "RunSeconds": ("Seconds", [90], {"status": "failed"}),
        "Rounds": ("Count", [3], {}),
        "InputTokens": ("Count", [100], {}),
        "OutputTokens": ("Count", [20], {}),
    }
    assert all(line["run_id"] == RUN.run_id for line in lines.parsed)


@pytest.mark.usefixtures("_in_a_function")
def test_tool_calls_polls_sweeps_messages_and_webhooks_have_metrics() -> None:
    with capture_logs() as lines:
        metrics.record_tool_call("fetch", "error", 250)
        metrics.record_poll_lag(0.05)
        metrics.record_sweep(7, 2)
        metrics.record_message_error()
        metrics.record_rejected_webhook()

    assert read_metrics(lines) == {
        "ToolLatency": ("Milliseconds", [250], {"tool": "fetch", "outcome": "error"}),
        "PollLag": ("Milliseconds", [50], {}),
        "OpenRuns": ("Count", [7], {}),
        "StuckRuns": ("Count", [2], {}),
        "MessageErrors": ("Count", [1], {}),
        "RejectedWebhooks": ("Count", [1], {}),
    }


@pytest.mark.usefixtures("_in_a_function")
@pytest.mark.parametrize("level", ["DEBUG", "WARNING", "ERROR"])
def test_metrics_are_written_at_every_log_level(level: str) -> None:
    with capture_logs(level) as lines:
        metrics.record_message_error()

    assert read_metrics(lines).keys() == {"MessageErrors"}
    assert lines.parsed[0]["level"] == ("INFO" if level == "DEBUG" else level), "Lambda filters by it, too"


def test_outside_of_a_function_no_metrics_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POWERTOOLS_METRICS_NAMESPACE", raising=False)
    with capture_logs() as lines:
        metrics.record_run_ended(RUN)

    assert lines.text == ""
