"""Batches on the terminal: how far one is, how it ended, its record, and the commands to go on with."""

import shlex
from collections.abc import Iterable
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.terminal.call_arguments import printable_line
from upcall.client import BatchView
from upcall.domain.batch import BatchStatus

STYLES: dict[BatchStatus, str] = {
    "completed": "green",
    "failed": "red",
    "cancelled": "yellow",
    "cancelling": "yellow",
}


def describe_progress(batch: BatchView) -> str:
    """How far a batch is, or how it ended, in one line without its id."""
    lines = "" if batch.lines is None else f" of {batch.lines:,}"
    usage = batch.counts.usage
    parts = [batch.status, f"{batch.counts.ended:,}{lines} lines ended"]
    parts += [f"{batch.counts.failed:,} failed"] if batch.counts.failed else []
    parts += [f"{batch.counts.cancelled:,} cancelled"] if batch.counts.cancelled else []
    parts += [f"{batch.under_way:,} under way"] if batch.under_way else []
    parts += [f"{usage.total_tokens:,} tokens"]
    parts += [f"${usage.usd:,.4f}"] if usage.usd is not None and batch.counts.ended else []
    if batch.estimated_end_at:
        parts.append(f"ends about {batch.estimated_end_at.astimezone():%Y-%m-%d %H:%M}")
    if batch.ended_at:
        parts.append(f"{(batch.ended_at - batch.created_at).total_seconds():,.1f} s")
    return " · ".join(parts)


def print_batch_end(console: Console, batch: BatchView) -> None:
    """Print how a batch ended, and why if it did not complete."""
    if batch.failure:
        console.print(Text(printable_line(_describe_failure(batch)), "red"), soft_wrap=True)
    status, _, rest = describe_progress(batch).partition(" ")
    console.print(Text.assemble((status, STYLES.get(batch.status, "")), f" {rest}"), soft_wrap=True)


def print_batch_list(console: Console, batches: Iterable[BatchView]) -> None:
    """One line for each batch; output that is no terminal is tab-separated."""
    table = Table(box=None, pad_edge=False)
    for name, width in (("batch", 34), ("status", 11), ("submitted", 16)):
        table.add_column(name, width=width)  # never cut: ids are copied from here
    table.add_column("lines", no_wrap=True)
    for batch in batches:
        status, _, progress = describe_progress(batch).partition(" · ")
        submitted = f"{batch.created_at.astimezone():%Y-%m-%d %H:%M}"
        if console.is_terminal:
            table.add_row(
                batch.batch_id, Text(status, STYLES.get(batch.status, "")), submitted, Text(progress)
            )
        else:
            print(batch.batch_id, status, submitted, progress, sep="\t", file=console.file)
    if table.row_count:
        console.print(table)


def print_batch(console: Console, batch: BatchView) -> None:
    """The record of a batch, and how far it is."""
    counts, usage = batch.counts, batch.counts.usage
    ended = f"{counts.completed:,} completed · {counts.failed:,} failed · {counts.cancelled:,} cancelled"
    waiting = f" · {batch.waiting:,} wait" if batch.waiting else ""
    rows: dict[str, str | Text | None] = {
        "batch": batch.batch_id,
        "status": Text(batch.status, STYLES.get(batch.status, "")),
        "lines": None if batch.lines is None else f"{batch.lines:,}",
        "ended": ended,
        "open": None if batch.ended else f"{batch.under_way:,} under way{waiting}",
        "tokens": f"{usage.input_tokens:,} in · {usage.output_tokens:,} out · {usage.total_tokens:,} in all",
        "dollars": None if usage.usd is None else f"${usage.usd:,.4f}",
        "budget": None if batch.budget_usd is None else f"${batch.budget_usd:,.4f}",
        "tolerated": f"{batch.tolerated_failures:.1%} of lines" if batch.tolerated_failures < 1 else None,
        "concurrency": f"{batch.concurrency:,}",
        "input": f"{batch.input_key} ({batch.input_format})",
        "template": batch.prompt_template,
        "defaults": " · ".join(f"{name} {value}" for name, value in batch.defaults.items()) or None,
        "submitted": _format_time(batch.created_at),
        "ends about": _format_time(batch.estimated_end_at),
        "ended at": _format_time(batch.ended_at),
        "failure": Text(printable_line(_describe_failure(batch)), "red") if batch.failure else None,
    }
    for name, value in rows.items():
        if value is not None:
            shown = value if isinstance(value, Text) else Text(printable_line(value))
            console.print(Text.assemble((f"{name:<11}", "dim"), "  ", shown), soft_wrap=True)


def batch_command(command: str, batch_id: str, stack: str | None) -> str:
    """The command line for a batch, which may be pasted into a shell."""
    return f"upcall batch {command} {batch_id}" + (f" --stack {shlex.quote(stack)}" if stack else "")


def _describe_failure(batch: BatchView) -> str:
    return f"{batch.failure.code}: {batch.failure.message}" if batch.failure else ""


def _format_time(time: datetime | None) -> str | None:
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S}" if time else None
