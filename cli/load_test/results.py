"""The figures of a load: how many runs ended how, how fast, with how much memory, in what weather."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cli.load_test.audit import Verdict
from cli.load_test.config import Order, Sent


@dataclass(frozen=True)
class Figures:
    """A load in figures. Times are in seconds, those of a run from its POST to the news of its end.

    `statuses` counts runs by status, `reasons` those that failed by their code. `turns` are what the
    emulator's model was made to think, and may be more than needed: an answer that was lost is asked for
    again.
    """

    runs: int
    concurrency: int
    seconds: float
    statuses: Mapping[str, int]
    reasons: Mapping[str, int]
    lost: Sequence[str]
    doubled: Sequence[str]
    runs_per_second: float
    latency: Mapping[str, float]
    peak_megabytes: int
    requests: int
    faults: Mapping[str, int]
    turns: int

    @property
    def good(self) -> bool:
        """Whether every run ended, and none was lost or doubled."""
        return not self.lost and not self.doubled


def figures(
    order: Order,
    sent: Sequence[Sent],
    verdict: Verdict,
    *,
    peak_megabytes: int,
    requests: int,
    faults: Mapping[str, int],
    turns: int,
) -> Figures:
    """What came of a load, in figures."""
    seconds = max(each.ended for each in sent)
    runs = [each.run for each in sent if each.run is not None]
    return Figures(
        runs=order.runs,
        concurrency=order.concurrency,
        seconds=round(seconds, 1),
        statuses=dict(Counter(run.status for run in runs)),
        reasons=dict(Counter(run.failure.code for run in runs if run.failure is not None)),
        lost=verdict.lost,
        doubled=verdict.doubled,
        runs_per_second=round(sum(each.terminal for each in sent) / seconds, 2),
        latency=percentiles([each.ended - each.began for each in sent if each.terminal]),
        peak_megabytes=peak_megabytes,
        requests=requests,
        faults=dict(sorted(faults.items())),
        turns=turns,
    )


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99; nothing of nothing."""
    if not seconds:
        return {}
    several = seconds if len(seconds) > 1 else [*seconds, *seconds]  # the quantiles of one are itself
    hundredths = statistics.quantiles(several, n=100, method="inclusive")
    return {f"p{part}": round(hundredths[part - 1], 2) for part in (50, 95, 99)}
