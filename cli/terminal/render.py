"""Runs on the terminal: the summary line, the list, one run whole."""

import json
from collections.abc import Iterable
from typing import Any, cast, get_args

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.backends.base import Took
from cli.errors import Problem
from cli.terminal.live_view import argument, size
from upcall.domain.run import Run
from upcall.domain.status import Status
from upcall.domain.tool_calls import LedgerEntry
from upcall.domain.views import RunSummary

STYLES: dict[Status, str] = {
    "completed": "green",
    "failed": "red",
    "expired": "red",
    "incomplete": "yellow",
    "cancelled": "yellow",
}


def summary_line(run: Run, took: Took | None) -> Text:
    """One line that says how a run went, and what it would cost on AWS where that is known."""
    seconds = ((run.ended_at or run.created_at) - run.created_at).total_seconds()
    facts = [
        _counted(run.round, "round"),
        _counted(run.tool_calls, "call"),
        _counted(run.usage.total_tokens, "token"),
        f"{seconds:.1f} s",
    ]
    if took:
        facts += [_counted(took.transitions, "state transition"), f"≈ ${took.dollars:.5f} on AWS"]
    return Text.assemble((run.status, STYLES.get(run.status, "")), " · ", " · ".join(facts))


def run_list(console: Console, runs: Iterable[RunSummary]) -> None:
    """Runs, a line each: cut to the width of a terminal, whole and tab-separated elsewhere."""
    table = Table(box=None, pad_edge=False)
    for name, width in (("run", 32), ("status", 11), ("started", 16)):
        table.add_column(name, width=width)  # whole: ids are there to be copied
    table.add_column("prompt")
    for run in runs:
        status = Text(run.status, STYLES.get(run.status, ""))
        started = f"{run.created_at.astimezone():%Y-%m-%d %H:%M}"
        if console.is_terminal:
            table.add_row(run.run_id, status, started, Text(run.excerpt, no_wrap=True, overflow="ellipsis"))
        else:
            print(run.run_id, run.status, started, run.excerpt, sep="\t", file=console.file)
    if table.row_count:
        console.print(table)


def whole_run(console: Console, run: Run, ledger: Iterable[LedgerEntry], message: str | None) -> None:
    """The record, the ledger and the message of a run."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_row("run", run.run_id)
    facts.add_row("status", Text(run.status, STYLES.get(run.status, "")))
    facts.add_row("prompt", Text(run.last_input))
    facts.add_row("assistant", f"{run.assistant} · {run.model} · {run.run_api}")
    if run.upstream_run:
        facts.add_row("upstream", " ".join(run.upstream_run.ids.values()))
    facts.add_row("started", f"{run.created_at.astimezone():%Y-%m-%d %H:%M:%S}")
    if run.ended_at:
        facts.add_row("took", f"{(run.ended_at - run.created_at).total_seconds():.1f} s")
    usage = run.usage
    facts.add_row("tokens", f"{usage.input_tokens} in, {usage.output_tokens} out")
    if run.failure:
        facts.add_row("failure", Text(f"{run.failure.code}: {run.failure.message}", "red"))
    console.print(facts)
    for entry in ledger:
        mark = "✓" if entry.output.outcome == "ok" else "✗"
        what = f"{entry.call.name} {argument(entry.call.arguments)}"
        cost = f"{size(entry.output.output)}  {entry.output.duration_ms} ms"
        console.print(Text(f"\nround {entry.round}  {mark} {what}  {cost}"), soft_wrap=True)
        if entry.output.outcome != "ok":
            console.print(Text(f"         {entry.output.output}", "red"), soft_wrap=True)
    if message is not None:
        console.print(Text(f"\n{message}"), soft_wrap=True)


def print_json(console: Console, value: Any) -> None:
    """JSON as it is: no colours, no wrapping."""
    console.print(json.dumps(value, indent=2, ensure_ascii=False), soft_wrap=True, markup=False)


def status_of(word: str | None) -> Status | None:
    """The status that a word names. Raises Problem, naming those that exist."""
    for status in get_args(Status):
        if word == status:
            return cast("Status", status)
    if word is None:
        return None
    raise Problem(f"there is no status {word!r}; there is {', '.join(get_args(Status))}")


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
