"""How a load went, on the terminal: its progress, and in the end its figures."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from cli.load_test.config import Sent
from cli.load_test.results import Figures

SHOWN = 10
"""Of what was lost or doubled, so many are named."""


@contextmanager
def progress(err: Console, runs: int) -> Iterator[Callable[[Sent], None]]:
    """A bar of the runs that have ended; nothing where no terminal is."""
    columns = (TextColumn("runs"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal, transient=True) as bar:
        task = bar.add_task("runs", total=runs)
        yield lambda _: bar.advance(task)


def show(out: Console, told: Figures) -> None:
    """Print the figures."""
    counts = {"completed": told.statuses.get("completed", 0)}
    counts |= {status: count for status, count in sorted(told.statuses.items()) if status != "completed"}
    counts |= {"lost": len(told.lost), "doubled": len(told.doubled)}
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_row("runs", f"{told.runs:,}, {told.concurrency:,} at once, in {told.seconds:,.1f} s")
    for name, count in counts.items():
        bad = count and name != "completed"
        table.add_row(name, f"{count:,}", style="red" if bad else None)
    if told.reasons:
        table.add_row("reasons", _listed(told.reasons))
    table.add_row("throughput", f"{told.runs_per_second:.2f} runs a second")
    table.add_row("latency", ", ".join(f"{name} {seconds:.1f} s" for name, seconds in told.latency.items()))
    table.add_row("memory", f"{told.peak_megabytes:,} MB at most")
    faulty = sum(told.faults.values())
    table.add_row("emulator", f"{told.requests:,} requests, {faulty:,} faulty, {told.turns:,} turns begun")
    if told.faults:
        table.add_row("faults", _listed(told.faults))
    out.print(table)
    for what, cases in (("lost", told.lost), ("doubled", told.doubled)):
        for case in cases[:SHOWN]:
            out.print(f"{what}: {case}", style="red", soft_wrap=True, markup=False)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} x {name}" for name, count in counts.items())
