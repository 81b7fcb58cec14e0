"""Compares the simulation's kernel with `upcall bench load`: one server that all runs share.

The local stack is one Python process, so a run needs some time of the interpreter, and more of them at once
take longer. The service time comes from one load test; the others are predicted from it.
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

SIZES = ((30, 6), (20, 4), (40, 10))
"""Runs, and how many of them are open at a time. The first calibrates."""

STEPS = 20
"""A run takes its service time in so many parts, and after each the others have their turn."""


@dataclass(frozen=True)
class Throughput:
    """Runs per second, and the median latency in seconds."""

    runs_per_second: float
    latency: float


def main(sizes: Sequence[tuple[int, int]] = SIZES) -> None:
    """Measure all sizes, predict all but the first, and print the ratios."""
    console = Console(width=110)
    table = Table(box=box.MARKDOWN)
    for heading in (
        *("runs", "at once", "runs/s measured", "predicted", "ratio"),
        *("p50 measured, s", "predicted", "ratio"),
    ):
        table.add_column(heading, justify="right")
    service = 0.0
    for number, (runs, concurrency) in enumerate(sizes):
        # a process has one local stack: moto's resources are global
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            measured = process.submit(measure, runs, concurrency).result()
        service = service or 1 / measured.runs_per_second
        predicted = predict(runs, concurrency, service)
        kind = " (calibrates)" if number == 0 else ""
        table.add_row(
            f"{runs}{kind}",
            str(concurrency),
            f"{measured.runs_per_second:.2f}",
            f"{predicted.runs_per_second:.2f}",
            f"{predicted.runs_per_second / measured.runs_per_second:.2f}",
            f"{measured.latency:.1f}",
            f"{predicted.latency:.1f}",
            f"{predicted.latency / measured.latency:.2f}",
        )
    console.print(table)


def measure(runs: int, concurrency: int) -> Throughput:
    """A load test without faults, on a local stack of its own."""
    config = LoadTestConfig(runs=runs, concurrency=concurrency, fault_rate=0)
    report = run_load_test(config, Console(stderr=True))
    return Throughput(report.runs / report.seconds, report.latency["p50"])


def predict(runs: int, concurrency: int, service: float) -> Throughput:
    """Simulate one server with this service time in seconds per run, which open runs share in turns."""
    queue: list[tuple[float, int, int]] = []
    parts = [STEPS] * runs
    started, latencies = [0.0] * runs, []
    following = min(concurrency, runs)
    for run in range(following):
        heapq.heappush(queue, (0.0, run, run))
    now, number = 0.0, runs
    while queue:
        _, _, run = heapq.heappop(queue)
        now += service / STEPS
        parts[run] -= 1
        number += 1
        if parts[run]:
            heapq.heappush(queue, (now, number, run))
            continue
        latencies.append(now - started[run])
        if following < runs:
            started[following] = now
            heapq.heappush(queue, (now, number, following))
            following += 1
    return Throughput(runs / now, sorted(latencies)[(len(latencies) - 1) // 2])
