"""The timeline of a run in text: a bar for each status and each call, on one time axis."""

from collections.abc import Iterator
from datetime import datetime

from rich.table import Table
from rich.text import Text

from cli.run_progress import CallProgress, RunProgress, StatusProgress
from cli.terminal.call_arguments import printable_line

BAR_CHARACTERS = 32

STYLES = {"in_progress": "blue", "requires_action": "green", "queued": "dim"}

LABEL_CHARACTERS = 36


def timeline(progress: RunProgress, now: datetime) -> Table | None:
    """The latest attempt of a run; None if there is nothing to draw. What is not over goes on until `now`."""
    if not progress.statuses:
        return None
    start = progress.statuses[0].started_at
    end = max((part.ended_at or now for part in progress.statuses), default=start)
    table = Table.grid(padding=(0, 1))
    table.add_column(max_width=LABEL_CHARACTERS, no_wrap=True, overflow="ellipsis")
    table.add_column(no_wrap=True)
    table.add_column(justify="right", style="dim", no_wrap=True, min_width=7)
    for label, part, style in _rows(progress):
        part_end = part.ended_at or now
        seconds = max((part_end - part.started_at).total_seconds(), 0)
        table.add_row(label, Text(_bar(part.started_at, part_end, start, end), style), f"{seconds:.1f} s")
    return table


def _rows(progress: RunProgress) -> Iterator[tuple[Text, StatusProgress | CallProgress, str]]:
    for status in progress.statuses:
        yield Text(status.name), status, STYLES.get(status.name, "")
        for call in status.calls.values():
            text = printable_line(f"  {call.name} {call.excerpt}".rstrip())
            yield Text(text), call, "yellow" if call.waits else "green" if call.outcome == "ok" else "red"


def _bar(start: datetime, end: datetime, first: datetime, last: datetime) -> str:
    """A bar from start to end on an axis from first to last. Nothing is too short to be seen."""
    whole = max((last - first).total_seconds(), 0.001)
    begin = int(BAR_CHARACTERS * max((start - first).total_seconds(), 0) / whole)
    begin = min(begin, BAR_CHARACTERS - 1)
    length = max(round(BAR_CHARACTERS * (end - start).total_seconds() / whole), 1)
    return (" " * begin + "━" * length)[:BAR_CHARACTERS].ljust(BAR_CHARACTERS)
