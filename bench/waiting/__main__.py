"""Measures what waiting for a model costs, in time and in money.

`python -m bench.waiting [--quick] [--durable PYTHON] [--plot FILE]`. It prints two tables in Markdown: the
delay that is added to the model's own time, and the cost of the reference run. PYTHON is that of an
environment with the requirements in this folder; without it, durable functions are left out. With `--quick`
turns are short, and the costs are those of a shorter run.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from bench.waiting.delays import TimedRun, compute_delays, measure_mode, sdk_modes, upcall_mode
from bench.waiting.durable import WAYS, DurableRun
from bench.waiting.reference_runs import ReferenceRun, measure_all
from bench.waiting.report import draw_svg, print_costs, print_delays
from bench.waiting.stack_process import StackProcess, stack_process, store_secret
from bench.waiting.timed_emulator import TimedEmulator
from bench.waiting.usage import RunCost

LENGTHS, QUICK_LENGTHS = (1, 3, 10, 20), (1, 3)
"""Of turns, in seconds, for the table of delays."""

REFERENCE_TURNS, QUICK_REFERENCE_TURNS = (20.0, 20.0, 20.0), (3.0, 3.0, 3.0)
"""Of the reference run: there is one call between each two."""

NAIVE_WORKFLOWS = {"state machine, polled every second": 1, "state machine, polled every 5 s": 5}
"""Names in the table, and the seconds that the workflow waits before each poll."""


@dataclass(frozen=True)
class UpcallStack:
    """A way in which Upcall waits: its name in the tables, and the parameters of its stack."""

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)


SECRET_PARAMETER = "OpenAIWebhookSecretName"  # noqa: S105  # a name

UPCALL = (
    UpcallStack("Upcall, polling"),
    UpcallStack("Upcall, webhooks", {SECRET_PARAMETER: "openai-webhook"}),
)


def main() -> None:
    """Measure, print the tables and draw the plot."""
    parser = argparse.ArgumentParser(prog="bench.waiting")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--durable", metavar="PYTHON")
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    lengths = QUICK_LENGTHS if arguments.quick else LENGTHS
    turns = QUICK_REFERENCE_TURNS if arguments.quick else REFERENCE_TURNS

    console, progress = Console(width=170), Console(stderr=True)
    emulator = TimedEmulator()
    runs: list[TimedRun] = []
    costs: list[RunCost] = []
    for mode in sdk_modes(emulator.base_url):
        progress.print(f"{mode.name}: {len(lengths)} lengths of turns")
        runs += measure_mode(mode, emulator, "https://example.com/", lengths)
    for way in UPCALL:
        with stack_process(emulator.base_url, way.parameters) as stack:
            if name := way.parameters.get(SECRET_PARAMETER):
                secret = emulator.webhooks.register(f"{stack.api}/webhooks/openai")
                stack.call(store_secret, name, secret)
            progress.print(f"{way.name}: {len(lengths)} lengths of turns")
            mode = upcall_mode(way.name, stack)
            runs += measure_mode(mode, emulator, f"{stack.pages}/tides", lengths)
            progress.print(f"{way.name}: the reference run")
            others = way == UPCALL[0]
            costs += measure_costs(way, stack, emulator, turns, arguments.durable, with_others=others)
    emulator.stop()

    delays = compute_delays(runs)
    print_delays(console, delays)
    console.print(f"The reference run: turns of {', '.join(f'{each:g} s' for each in turns)}")
    print_costs(console, costs, UPCALL[0].name)
    if arguments.plot:
        arguments.plot.write_text(draw_svg(delays, costs), "utf-8")


def measure_costs(
    way: UpcallStack,
    stack: StackProcess,
    emulator: TimedEmulator,
    turns: Sequence[float],
    durable_python: str | None,
    *,
    with_others: bool,
) -> list[RunCost]:
    """The cost of the reference run with Upcall and, at the same time, in all other ways."""
    page = f"{stack.pages}/tides"

    def reference_run(name: str) -> ReferenceRun:
        warm_up, model = emulator.script([0.0] * len(turns), page), emulator.script(turns, page)
        return ReferenceRun(name, warm_up, model, sum(turns))

    naive, durable = [], []
    if with_others:
        naive = [(reference_run(name), seconds) for name, seconds in NAIVE_WORKFLOWS.items()]
        if durable_python:
            durable = [DurableRun(durable_python, reference_run(name), stack) for name in WAYS]
    measured = stack.call(measure_all, reference_run(way.name), naive)
    return [*measured, *(run.wait() for run in durable)]


if __name__ == "__main__":
    main()
