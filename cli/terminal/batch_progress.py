"""The progress of a batch and of an upload: bars on a terminal, lines anywhere else."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from cli.terminal.batch_output import describe_progress
from upcall.client import BatchView

LINE_INTERVAL_SECONDS = 10.0
"""Between two lines at least, if the output is no terminal."""


class BatchProgress:
    """A context manager that shows how far a batch is.

    A terminal is redrawn in place. Any other output gets a line when the batch has changed.
    """

    def __init__(self, console: Console, now: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._now = now
        self._last_line = ""
        self._last_time = -LINE_INTERVAL_SECONDS
        columns = (BarColumn(), TextColumn("{task.description}"))
        self._bar = Progress(*columns, console=console, transient=True)
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> "BatchProgress":
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def update(self, batch: BatchView) -> None:
        """Show the batch as it is now."""
        if self._console.is_terminal:
            description = describe_progress(batch)
            completed, total = batch.counts.ended, batch.lines or None
            self._bar.update(self._task, description=description, completed=completed, total=total)
        elif not batch.ended:
            self._print_line(describe_progress(batch))

    def _print_line(self, line: str) -> None:
        now = self._now()
        if line != self._last_line and now - self._last_time >= LINE_INTERVAL_SECONDS:
            self._last_line, self._last_time = line, now
            # Rich would print it again if it was interrupted before it had emptied its buffer
            print(line, file=self._console.file, flush=True)


@contextmanager
def upload_progress(console: Console, name: str, size: int) -> Iterator[Callable[[int], object]]:
    """Show an upload of `size` bytes. Yields what takes the number of bytes of each step, in any thread."""
    if not console.is_terminal:
        console.print(f"uploading {name}, {size:,} bytes", soft_wrap=True, markup=False)
        yield lambda _: None
        return
    columns = (TextColumn("uploading"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=size)
        yield lambda count: bar.advance(task, count)
