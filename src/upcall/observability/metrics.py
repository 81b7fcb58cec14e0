"""Metrics, which CloudWatch extracts from log lines in the embedded metric format (EMF).

    metric         unit           dimensions     meaning
    Runs           Count          status         runs that have ended
    RunSeconds     Seconds        status         from the request to the end
    Rounds         Count                         of a run
    InputTokens    Count                         of a run
    OutputTokens   Count                         of a run
    ToolLatency    Milliseconds   tool, outcome  of a call; there are as many samples as calls
    PollLag        Milliseconds                  how long a change upstream may have gone unnoticed
    OpenRuns       Count                         runs that the sweeper has checked
    StuckRuns      Count                         those of them that no execution worked on
    MessageErrors  Count                         messages of a queue on which a function failed
    RejectedWebhooks  Count                      webhooks without a valid signature

Each metric and each value of a dimension has its price, so ids are never dimensions: they are fields of the
line. These lines are written at every log level. A function that dies before it writes one is not counted.
"""

import logging
from typing import Final

from upcall import config
from upcall.domain.run import Run
from upcall.observability.logging import SERVICE

_COUNT: Final = "Count"
_SECONDS: Final = "Seconds"
_MILLISECONDS: Final = "Milliseconds"

_Metrics = dict[str, tuple[str, float]]
"""Names with units and values."""


def record_run_ended(run: Run) -> None:
    """Count a run that has its terminal status now."""
    seconds = (run.ended_at - run.created_at).total_seconds() if run.ended_at else 0
    by_status: _Metrics = {"Runs": (_COUNT, 1), "RunSeconds": (_SECONDS, seconds)}
    _emit(by_status, {"status": run.status}, run_id=run.run_id)
    without_dimension: _Metrics = {
        "Rounds": (_COUNT, run.round),
        "InputTokens": (_COUNT, run.usage.input_tokens),
        "OutputTokens": (_COUNT, run.usage.output_tokens),
    }
    _emit(without_dimension, {}, run_id=run.run_id)


def record_tool_call(tool: str, outcome: str, milliseconds: float) -> None:
    """Count a tool call that was answered."""
    _emit({"ToolLatency": (_MILLISECONDS, milliseconds)}, {"tool": tool, "outcome": outcome})


def record_poll_lag(seconds: float) -> None:
    """Record how long ago the poll before the one that noticed a change was."""
    _emit({"PollLag": (_MILLISECONDS, 1000 * seconds)}, {})


def record_sweep(checked: int, stuck: int) -> None:
    """Record how many open runs the sweeper has checked."""
    _emit({"OpenRuns": (_COUNT, checked), "StuckRuns": (_COUNT, stuck)}, {})


def record_message_error() -> None:
    """Count a message on which a function failed."""
    _emit({"MessageErrors": (_COUNT, 1)}, {})


def record_rejected_webhook() -> None:
    """Count a webhook that was not signed with our secret, or that is too old."""
    _emit({"RejectedWebhooks": (_COUNT, 1)}, {})


def _emit(metrics: _Metrics, dimensions: dict[str, str], **ids: str) -> None:
    """Write the line, at a level that passes every filter. Outside of any function there is no namespace."""
    namespace = config.metrics_namespace()
    if namespace is None:
        return
    from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

    provider = AmazonCloudWatchEMFProvider(namespace=namespace)
    for name, (unit, value) in metrics.items():
        provider.add_metric(name, unit, value)
    for name, dimension in dimensions.items():
        provider.add_dimension(name, dimension)
    service_logger = logging.getLogger(SERVICE)
    level = max(service_logger.level, logging.INFO)
    service_logger.log(level, "metrics", extra={**provider.serialize_metric_set(), **ids})
