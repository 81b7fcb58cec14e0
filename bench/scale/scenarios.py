"""The scenarios of docs/scale.md, and what is kept of each."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.scale.arrivals import burst, day_curve
from bench.scale.quotas import QUOTA_SETS
from bench.scale.run_model import RunModel
from bench.scale.simulation import Result, Simulation
from bench.waiting.usage import dollars

GROUPS = {10_000: 5, 100_000: 20, 1_000_000: 50}
"""Runs, and how many of them are simulated as one."""

COMPARED_RUNS, COMPARED_GROUPS = 5_000, (1, 10, 50)
"""The simulation with groups is compared with the exact one at this size."""

ARRIVALS = {"day curve": day_curve, "burst": burst}
LINE_POINTS = 120


@dataclass(frozen=True)
class Outcome:
    """A scenario and its result. `dollars` are AWS's for all runs, `tokens` those of all turns.

    `first` is the quota that throttled first, `throttled` counts runs by quota. `line` has completed runs at
    evenly spaced times until `seconds`, when the last run ended.
    """

    runs: int
    group: int
    arrivals: str
    updates: str
    quotas: str
    completed: int
    failed: dict[str, int]
    p50: float
    p95: float
    seconds: float
    first: str | None
    throttled: dict[str, int]
    peaks: dict[str, float]
    dollars: float
    tokens: float
    line: list[int]


def simulate(
    runs: int, arrivals: str, updates: str, quotas: str, group: int | None = None, seed: int = 0
) -> Outcome:
    """Simulate one scenario."""
    group = group or GROUPS[runs]
    model = RunModel(pushed=updates == "pushed")
    result = Simulation(QUOTA_SETS[quotas], model, group, seed).run(ARRIVALS[arrivals](runs, seed))
    seconds = max(result.ended, default=0.0)
    return Outcome(
        runs=runs,
        group=group,
        arrivals=arrivals,
        updates=updates,
        quotas=quotas,
        completed=result.completed,
        failed=dict(result.failed),
        p50=round(result.latency(0.5), 1),
        p95=round(result.latency(0.95), 1),
        seconds=round(seconds, 1),
        first=result.first[0] if result.first else None,
        throttled=dict(result.throttled),
        peaks={name: round(peak, 3) for name, peak in result.peaks.items()},
        dollars=round(dollars(result.usage), 2),
        tokens=result.turns * model.tokens,
        line=_line(result, seconds),
    )


def all_scenarios() -> Iterator[tuple[int, str, str, str]]:
    """Runs, arrivals, updates and quotas of each scenario."""
    for runs in GROUPS:
        for arrivals in ARRIVALS:
            for updates in ("polled", "pushed"):
                for quotas in QUOTA_SETS:
                    yield runs, arrivals, updates, quotas


def comparisons() -> Iterator[Outcome]:
    """The same two scenarios with groups of several sizes: one that nothing throttles, one that much does."""
    for arrivals in ARRIVALS:
        for group in COMPARED_GROUPS:
            yield simulate(COMPARED_RUNS, arrivals, "polled", "defaults, tier 5", group)


def save(path: Path, outcomes: Sequence[Outcome], compared: Sequence[Outcome]) -> None:
    """Keep the outcomes, so that the document's tables can be made again without the simulation."""
    content = {
        "scenarios": [asdict(each) for each in outcomes],
        "groups": [asdict(each) for each in compared],
    }
    path.write_text(json.dumps(content) + "\n", "utf-8")


def load(path: Path) -> tuple[list[Outcome], list[Outcome]]:
    """The outcomes of the scenarios, and those of the comparison of groups."""
    content = json.loads(path.read_text("utf-8"))
    return [Outcome(**each) for each in content["scenarios"]], [Outcome(**each) for each in content["groups"]]


def _line(result: Result, seconds: float) -> list[int]:
    counts = [0] * (LINE_POINTS + 1)
    for ended in result.ended:
        counts[min(LINE_POINTS, int(ended / seconds * LINE_POINTS) + 1)] += result.group
    for point in range(LINE_POINTS):
        counts[point + 1] += counts[point]
    return counts
