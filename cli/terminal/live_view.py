"""A run as one watches it: the states it passes, the tool calls with argument, size and time."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from cli.execution_history import Progress, ToolCallProgress, Visit


@dataclass(frozen=True)
class Row:
    """A line of the view. `done` is whether it will still change."""

    text: Text
    seconds: float
    done: bool
    failed: bool = False

    @property
    def mark(self) -> str:
        """A sign that needs no colour."""
        return "✗" if self.failed else "✓" if self.done else "·"


class View:
    """Shows progress: redrawn in place on a terminal; elsewhere a line for each thing that is done."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress()
        self._printed = 0
        self._spinner = Spinner("dots", style="cyan")
        self._live = Live(self, console=console, refresh_per_second=10)

    def __enter__(self) -> "View":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def show(self, progress: Progress) -> None:
        """Take the latest progress."""
        self._progress = progress
        if self._console.is_terminal:
            return
        rows = list(rows_of(progress))
        while self._printed < len(rows) and rows[self._printed].done:
            row = rows[self._printed]
            text = f"{row.mark} {row.seconds:5.1f} s  {row.text.plain}"
            self._console.print(text, soft_wrap=True, markup=False)
            self._printed += 1

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = Table.grid(padding=(0, 1))
        table.add_column(width=1)
        table.add_column(width=7, justify="right", style="dim")
        table.add_column(overflow="ellipsis", no_wrap=True)
        for row in rows_of(self._progress):
            mark = Text(row.mark, "red" if row.failed else "green") if row.done else self._spinner
            table.add_row(mark, f"{row.seconds:.1f} s", row.text)
        yield table


def rows_of(progress: Progress) -> Iterator[Row]:
    """The lines of a progress: each state passed, and below `Call tools` its calls."""
    for visit in progress.visits:
        yield Row(_state(visit), _seconds(visit), visit.until is not None)
        for call in visit.calls.values():
            yield Row(_call(call), _seconds(call), call.until is not None, call.outcome not in (None, "ok"))


def _state(visit: Visit) -> Text:
    text = Text(visit.state)
    if visit.times > 1:
        text.append(f" x{visit.times}", "dim")
    if visit.trouble:
        text.append(f"  {visit.trouble}", "yellow")
    return text


def _call(call: ToolCallProgress) -> Text:
    text = Text("  ").append(call.name, "bold cyan").append(f" {argument(call.arguments)}")
    if call.outcome not in (None, "ok"):
        text.append(f"  {_error(call.output)}", "red")
    elif call.until:
        text.append(f"  {size(call.output)}", "dim")
    return text


def argument(arguments: str) -> str:
    """A call's arguments for people: the values, or the model's own text where it is not JSON."""
    try:
        values = json.loads(arguments)
    except ValueError:
        return arguments
    if isinstance(values, dict):
        return " ".join(str(value) for value in values.values() if value is not None)
    return arguments


def size(text: str) -> str:
    """How large a text is, in kilobytes of UTF-8."""
    return f"{len(text.encode()) / 1024:.1f} KB"


def _error(output: str) -> str:
    try:
        return str(json.loads(output)["error"])
    except (ValueError, TypeError, KeyError):
        return output


def _seconds(part: Visit | ToolCallProgress) -> float:
    return ((part.until or datetime.now(UTC)) - part.since).total_seconds()
