"""The progress of a run: its statuses, and its tool calls with arguments, size and duration."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.padding import Padding
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from cli.run_progress import CallProgress, RunProgress, StatusProgress
from cli.terminal.call_arguments import printable, printable_line

TEXT_LINES = 8
"""Of what the model has written: the view must fit on the terminal."""


@dataclass(frozen=True)
class Row:
    """A line of the view. It does not change any more once it is `done`."""

    text: Text
    seconds: float
    done: bool
    failed: bool = False

    @property
    def mark(self) -> str:
        """A symbol that does not depend on colours."""
        return "✗" if self.failed else "✓" if self.done else "·"


class LiveView:
    """A context manager that shows the progress of a run.

    A terminal is redrawn in place, with the end of what the model has written so far. Any other output gets a
    line for each status and call that is done.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = RunProgress()
        self._printed = 0
        self._spinner = Spinner("dots", style="cyan")
        self._live = Live(self, console=console, refresh_per_second=10)

    def __enter__(self) -> "LiveView":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def update(self, progress: RunProgress) -> None:
        """Show the latest progress."""
        self._progress = progress
        if self._console.is_terminal:
            return
        rows = list(_progress_rows(progress))
        while self._printed < len(rows) and rows[self._printed].done:
            row = rows[self._printed]
            text = f"{row.mark} {row.seconds:5.1f} s  {row.text.plain}"
            self._console.print(text, soft_wrap=True, markup=False)
            self._printed += 1

    def print_line(self, text: str, style: str = "dim") -> None:
        """Print a line once. On a terminal it stands above the view, and is not cut."""
        self._console.print(Text(f"· {printable_line(text)}", style), soft_wrap=True)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = Table.grid(padding=(0, 1))
        table.add_column(width=1)
        table.add_column(width=7, justify="right", style="dim")
        table.add_column(overflow="ellipsis", no_wrap=True)
        for row in _progress_rows(self._progress):
            mark = Text(row.mark, "red" if row.failed else "green") if row.done else self._spinner
            table.add_row(mark, f"{row.seconds:.1f} s", row.text)
        yield table
        if self._progress.text and not self._progress.ended:
            lines = Text(printable(self._progress.text)).wrap(console, max(options.max_width - 4, 20))
            yield Padding(Text("\n").join(lines[-TEXT_LINES:]), (0, 2))


def format_size(size: int) -> str:
    """A number of bytes in kilobytes."""
    return f"{size / 1024:.1f} KB"


def _progress_rows(progress: RunProgress) -> Iterator[Row]:
    """A row for each status, and below `requires_action` one for each call."""
    for status in progress.statuses:
        yield Row(_format_status(status), _seconds(status), status.ended_at is not None)
        for call in status.calls.values():
            failed = call.outcome not in (None, "ok")
            yield Row(_format_call(call), _seconds(call), call.ended_at is not None, failed)


def _format_status(status: StatusProgress) -> Text:
    text = Text(status.name)
    if status.note:
        text.append(f"  {printable_line(status.note)}", "yellow")
    return text


def _format_call(call: CallProgress) -> Text:
    text = Text("  ").append(printable_line(call.name), "bold cyan")
    text.append(printable_line(f" {call.excerpt}"))
    if call.waits:
        text.append("  waits for an answer", "yellow")
    if call.outcome not in (None, "ok"):
        text.append(f"  {printable_line(call.error)}", "red")
    elif call.ended_at:
        text.append(f"  {format_size(call.output_bytes)}", "dim")
    return text


def _seconds(part: StatusProgress | CallProgress) -> float:
    return max(0, ((part.ended_at or datetime.now(UTC)) - part.started_at).total_seconds())
