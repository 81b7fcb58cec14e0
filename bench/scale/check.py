"""Compares the simulation's kernel with `upcall bench load`: one server that all runs share.

The local stack is one Python process, so a run needs some time of the interpreter, for which open runs take
turns, and some time in which it only waits. Both come from two load tests, one run at a time and many at
once; the others are predicted from them.
"""

import heapq
import multiprocessing
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich import box
from rich.console import Console
from rich.table import Table

from cli.backends.local_stack import load_local_stack_class
from cli.load_test.config import LoadTestConfig
from cli.load_test.event_listener import EventListener
from cli.load_test.runner import execute_runs
from local.config import LocalStackConfig
from upcall.client import UpcallClient

ALONE, MANY = (20, 1), (200, 40)
"""Runs, and how many of them are open at a time, of the two load tests that calibrate."""

SIZES = ((60, 4), (100, 8), (150, 16))
"""The same of those that are predicted."""

WARM_UP = (8, 4)
"""The same of those that come first, and are not measured."""

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
    """A load test without faults, after some runs that load what all runs need."""
    with (
        tempfile.TemporaryDirectory() as folder,
        load_local_stack_class()(LocalStackConfig(state_folder=Path(folder))) as stack,
        UpcallClient(stack.endpoints.api) as api,
    ):
        listener = EventListener(stack.deployed.bus)
        prompt = f"Summarise {stack.endpoints.pages}/tides"
        for number, at_once in (WARM_UP, (runs, concurrency)):
            config = LoadTestConfig(runs=number, concurrency=at_once, fault_rate=0)
            results = execute_runs(config, api, prompt, listener, lambda _: None)
        listener.stop()
    seconds = max(each.ended for each in results)
    return Throughput(runs / seconds, median(each.ended - each.started for each in results))


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
