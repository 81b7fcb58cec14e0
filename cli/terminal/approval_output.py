"""Calls that wait for an approval: a list of them, and one with its arguments."""

from collections.abc import Sequence
from datetime import datetime

from rich.cells import chop_cells
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.terminal.call_arguments import CONTINUATION, INDENT, lay_out_arguments, printable
from upcall.client import OpenCallView

COLUMNS = (("run", 32), ("call", 6), ("tool", None), ("since", 16), ("until", 16))


def print_approval_list(console: Console, calls: Sequence[tuple[str, OpenCallView]]) -> None:
    """One line for each call, with the id of its run. Other output than a terminal's is tab-separated."""
    table = Table(box=None, pad_edge=False)
    for name, width in COLUMNS:
        table.add_column(name, width=width, no_wrap=True)
    for run_id, call in calls:
        cells = (run_id, call.id, printable(call.name), _minute(call.since), _minute(call.until))
        if console.is_terminal:
            table.add_row(*map(Text, cells))
        else:
            print(*cells, sep="\t", file=console.file)
    if table.row_count:
        console.print(table)


def print_approval(console: Console, call: OpenCallView) -> None:
    """A call: its tool, its arguments line by line, their digest, and since and until when it waits."""
    console.print(Text.assemble((call.id, "dim"), "  ", (printable(call.name), "bold cyan")), soft_wrap=True)
    for line in lay_out_arguments(call.arguments):
        for part in _fold(line, console):
            console.print(Text(f"{INDENT}{part}"), soft_wrap=True)
    waits = f"waits since {_minute(call.since)} until {_minute(call.until)}"
    for line in (f"digest {call.arguments_digest}", waits):
        console.print(Text(f"{INDENT}{line}", "dim"), soft_wrap=True)
    console.print()


def _fold(line: str, console: Console) -> list[str]:
    """The line in parts of the width of a terminal, so that no part looks like a line of its own."""
    if not console.is_terminal:
        return [line]
    head, *rest = chop_cells(line, max(console.width - len(INDENT) - len(CONTINUATION), 1))
    return [head, *(f"{CONTINUATION}{part}" for part in rest)]


def _minute(time: datetime) -> str:
    return f"{time.astimezone():%Y-%m-%d %H:%M}"
