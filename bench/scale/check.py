"""Compares the simulation's kernel with `upcall bench load`: one server that all runs share.

The local stack is one Python process, so a run needs some time of the interpreter, for which open runs take
turns, and some time in which it only waits. Both come from two load tests, one run at a time and many at
once; the others are predicted from them.
"""

import heapq
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table

from cli.load_test.config import LoadTestConfig
from cli.load_test.load_test import run_load_test

ALONE, MANY = (20, 1), (200, 40)
"""Runs, and how many of them are open at a time, of the two load tests that calibrate."""

SIZES = ((60, 4), (100, 8), (150, 16))
"""The same of those that are predicted."""

STEPS = 20
"""A run takes its time in so many parts: each time it waits, and then it has its turn."""


@dataclass(frozen=True)
class Throughput:
    """Runs per second, and the median latency in seconds."""

    runs_per_second: float
    latency: float


def main(sizes: Sequence[tuple[int, int]] = SIZES) -> None:
    """Measure all sizes, predict all but the first two, and print the ratios."""
    console = Console(width=110)
    table = Table(box=box.MARKDOWN)
    for heading in (
        *("runs", "at once", "runs/s measured", "predicted", "ratio"),
        *("p50 measured, s", "predicted", "ratio"),
    ):
        table.add_column(heading, justify="right")
    alone, many = (_measure_apart(*size) for size in (ALONE, MANY))
    service = 1 / many.runs_per_second
    delay = max(alone.latency - service, 0)
    console.print(f"A run needs {service:.2f} s of the interpreter, and waits {delay:.2f} s.")
    for runs, concurrency in sizes:
        measured, predicted = _measure_apart(runs, concurrency), predict(runs, concurrency, service, delay)
        table.add_row(
            str(runs),
            str(concurrency),
            f"{measured.runs_per_second:.2f}",
            f"{predicted.runs_per_second:.2f}",
            f"{predicted.runs_per_second / measured.runs_per_second:.2f}",
            f"{measured.latency:.1f}",
            f"{predicted.latency:.1f}",
            f"{predicted.latency / measured.latency:.2f}",
        )
    console.print(table)


def _measure_apart(runs: int, concurrency: int) -> Throughput:
    """A load test in a process of its own, which has one local stack: moto's resources are global."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(measure, runs, concurrency).result()


def measure(runs: int, concurrency: int) -> Throughput:
    """A load test without faults, on a local stack of its own."""
    config = LoadTestConfig(runs=runs, concurrency=concurrency, fault_rate=0)
    report = run_load_test(config, Console(stderr=True))
    return Throughput(report.runs / report.seconds, report.latency["p50"])


def predict(runs: int, concurrency: int, service: float, delay: float = 0) -> Throughput:
    """Simulate one server with this service time in seconds per run, which open runs share in turns.

    Besides, a run waits for `delay` seconds without the server.
    """
    events: list[tuple[float, int, int]] = []
    parts = [STEPS] * runs
    started, latencies = [0.0] * runs, []
    following = min(concurrency, runs)
    for run in range(following):
        heapq.heappush(events, (delay / STEPS, run, run))
    free = end = 0.0
    number = runs
    while events:
        ready, _, run = heapq.heappop(events)  # in the order in which runs want the server
        free = max(free, ready) + service / STEPS
        parts[run] -= 1
        if parts[run]:
            heapq.heappush(events, (free + delay / STEPS, number := number + 1, run))
            continue
        end = free
        latencies.append(end - started[run])
        if following < runs:
            started[following] = end
            heapq.heappush(events, (end + delay / STEPS, number := number + 1, following))
            following += 1
    return Throughput(runs / end, sorted(latencies)[(len(latencies) - 1) // 2])
