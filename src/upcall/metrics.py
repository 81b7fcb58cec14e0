"""The one owner of metrics: figures that CloudWatch reads out of log lines (EMF), of the same logger.

    metric         unit           by             tells
    Runs           Count          status         runs that have ended
    RunSeconds     Seconds        status         from the request to the end
    Rounds         Count                         of a run
    InputTokens    Count                         of a run
    OutputTokens   Count                         of a run
    ToolLatency    Milliseconds   tool, outcome  of a call; there are as many samples as calls
    PollLag        Milliseconds                  how long at most a change upstream went unseen
    OpenRuns       Count                         runs that the sweeper has looked at
    StuckRuns      Count                         those of them that nothing worked on
    MessageErrors  Count                         messages of a queue that a function broke on

Each metric and each value of what it is by has its price, so ids are never that: they are in the line beside.
Lines of metrics are written whatever the log level. A function that dies before it writes one is not counted.
"""

import logging
from typing import Final

from upcall import settings
from upcall.log import SERVICE
from upcall.run import Run

_COUNT: Final = "Count"
_SECONDS: Final = "Seconds"
_MILLISECONDS: Final = "Milliseconds"

_Figures = dict[str, tuple[str, float]]
"""Metrics with their units and values."""


def run_ended(run: Run) -> None:
    """A run has its terminal status now."""
    seconds = (run.ended_at - run.created_at).total_seconds() if run.ended_at else 0
    by_status: _Figures = {"Runs": (_COUNT, 1), "RunSeconds": (_SECONDS, seconds)}
    _tell(by_status, {"status": run.status}, run_id=run.run_id)
    of_all: _Figures = {
        "Rounds": (_COUNT, run.round),
        "InputTokens": (_COUNT, run.usage.input_tokens),
        "OutputTokens": (_COUNT, run.usage.output_tokens),
    }
    _tell(of_all, {}, run_id=run.run_id)


def tool_called(tool: str, outcome: str, milliseconds: float) -> None:
    """A tool has answered a call."""
    _tell({"ToolLatency": (_MILLISECONDS, milliseconds)}, {"tool": tool, "outcome": outcome})


def change_seen(seconds: float) -> None:
    """A poll has seen a change; so long before, it had not happened yet."""
    _tell({"PollLag": (_MILLISECONDS, 1000 * seconds)}, {})


def swept(looked_at: int, stuck: int) -> None:
    """The sweeper has looked at the open runs."""
    _tell({"OpenRuns": (_COUNT, looked_at), "StuckRuns": (_COUNT, stuck)}, {})


def message_failed() -> None:
    """A function broke on a message of its queue."""
    _tell({"MessageErrors": (_COUNT, 1)}, {})


def _tell(figures: _Figures, dimensions: dict[str, str], **ids: str) -> None:
    """Write the line, at a level that passes every filter on its way."""
    namespace = settings.metrics_namespace()
    if namespace is None:
        return
    from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

    metrics = AmazonCloudWatchEMFProvider(namespace=namespace)
    for name, (unit, value) in figures.items():
        metrics.add_metric(name, unit, value)
    for name, kind in dimensions.items():
        metrics.add_dimension(name, kind)
    ours = logging.getLogger(SERVICE)
    ours.log(max(ours.level, logging.INFO), "metrics", extra={**metrics.serialize_metric_set(), **ids})
