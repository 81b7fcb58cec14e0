"""Runs on the terminal: how one started, how it ended, a list of runs, the details of one."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import cast, get_args

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.backends.base import AwsUsage, RunDetails, RunOutcome
from cli.errors import CommandError
from cli.run_progress import RunProgress
from cli.terminal.call_arguments import printable_line
from cli.terminal.console import print_json
from cli.terminal.live_view import format_size
from cli.terminal.timeline import timeline
from upcall.domain.run import Run
from upcall.domain.run_request import RunRequest
from upcall.domain.status import Status
from upcall.domain.tool_calls import Decision, arguments_text
from upcall.domain.views import OpenCallView, RunSummary

STYLES: dict[Status, str] = {
    "completed": "green",
    "failed": "red",
    "expired": "red",
    "incomplete": "yellow",
    "cancelled": "yellow",
    "requires_action": "cyan",
}


def print_started(err: Console, run_id: str, server: str, request: RunRequest) -> None:
    """Print the id of a run, the server that it runs on, and its prompt."""
    err.print(f"{run_id}  {server}", style="dim", soft_wrap=True)
    err.print(request.prompt, style="bold", soft_wrap=True, markup=False)


def print_outcome(outcome: RunOutcome, *, out: Console, err: Console, as_json: bool) -> None:
    """Print the message to `out`, and a failure and the summary to `err`; or everything as JSON to `out`."""
    run, usage = outcome.run, outcome.aws_usage
    if as_json:
        fields = run.model_dump(mode="json", exclude_none=True)
        if usage:
            fields |= {"transitions": usage.transitions, "estimated_dollars": usage.dollars}
        ledger = [entry.model_dump(mode="json") for entry in outcome.ledger]
        print_json(out, {**fields, "ledger": ledger})
        return
    err.print()
    if run.message is not None:
        out.print(run.message, soft_wrap=not out.is_terminal, markup=False)
        err.print()
    elif run.failure:
        failure = f"{run.failure.code}: {run.failure.message}"
        err.print(failure, style="red", soft_wrap=True, markup=False)
    err.print(_summary(run, usage), soft_wrap=True)


def print_run_list(console: Console, runs: Iterable[RunSummary]) -> None:
    """One line for each run. A terminal cuts the prompt to its width; other output is tab-separated."""
    table = Table(box=None, pad_edge=False)
    for name, width in (("run", 32), ("status", 15), ("started", 16)):
        table.add_column(name, width=width)  # never cut: ids are copied from here
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


def print_run_details(console: Console, details: RunDetails) -> None:
    """The record, the timeline, the ledger with its decisions, the open calls and the message of a run."""
    run = details.run
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_row("run", run.run_id)
    table.add_row("status", Text(run.status, STYLES.get(run.status, "")))
    table.add_row("prompt", Text(run.last_input))
    table.add_row("assistant", f"{run.assistant} · {run.model} · {run.run_api}")
    if run.upstream_run:
        table.add_row("upstream", " ".join(run.upstream_run.ids.values()))
    table.add_row("started", f"{run.created_at.astimezone():%Y-%m-%d %H:%M:%S}")
    if run.ended_at:
        table.add_row("duration", f"{(run.ended_at - run.created_at).total_seconds():.1f} s")
    table.add_row("tokens", f"{run.usage.input_tokens} in, {run.usage.output_tokens} out")
    table.add_row("model's cost", _cost(run))
    if run.failure:
        table.add_row("failure", Text(f"{run.failure.code}: {run.failure.message}", "red"))
    console.print(table)
    progress = RunProgress()
    progress.add(details.events)
    if (drawn := timeline(progress, datetime.now(UTC))) is not None:
        console.print()
        console.print(drawn)
    for entry in details.ledger:
        mark = "✓" if entry.output.outcome == "ok" else "✗"
        call = printable_line(f"{entry.call.name} {arguments_text(entry.call.arguments)}")
        output = f"{format_size(len(entry.output.output.encode()))}  {entry.output.duration_ms} ms"
        console.print(Text(f"\nround {entry.round}  {mark} {call}  {output}"), soft_wrap=True)
        if entry.output.outcome != "ok":
            console.print(Text(f"         {entry.output.output}", "red"), soft_wrap=True)
        if entry.decision is not None:
            console.print(Text(f"         {_format_decision(entry.decision)}", "dim"), soft_wrap=True)
    for open_call in details.open_calls:
        console.print(Text(f"\n{_format_open_call(open_call)}", "yellow"), soft_wrap=True)
    if details.message is not None:
        console.print(Text(f"\n{details.message}"), soft_wrap=True)


def parse_status(text: str | None) -> Status | None:
    """The status of that name. Raises CommandError, which lists the statuses that exist."""
    if text is None:
        return None
    if text not in get_args(Status):
        raise CommandError(f"there is no status {text!r}; there is {', '.join(get_args(Status))}")
    return cast("Status", text)


def _format_decision(decision: Decision) -> str:
    done = {"approve": "approved", "deny": "denied"}[decision.decision]
    who = f" by {decision.decided_by}" if decision.decided_by else ""
    reason = f": {decision.reason}" if decision.reason else ""
    return f"{done}{who} at {decision.decided_at.astimezone():%Y-%m-%d %H:%M}{reason}"


def _format_open_call(call: OpenCallView) -> str:
    what = {"approval": "an approval", "output": "an output of the caller"}[call.waits_for]
    arguments = f"{call.name} {arguments_text(call.arguments)}".rstrip()
    until = f"{call.until.astimezone():%Y-%m-%d %H:%M}"
    return printable_line(f"call {call.id}  · {arguments}  waits for {what} until {until}")


def _summary(run: Run, usage: AwsUsage | None) -> Text:
    """Status, counts and duration, and what the run would cost on AWS if that is known."""
    seconds = ((run.ended_at or run.created_at) - run.created_at).total_seconds()
    parts = [
        _count(run.round, "round"),
        _count(run.tool_calls, "call"),
        _count(run.usage.total_tokens, "token"),
        *([] if run.usage.usd is None else [_cost(run)]),
        f"{seconds:.1f} s",
    ]
    if usage:
        parts += [_count(usage.transitions, "state transition"), f"≈ ${usage.dollars:.5f} on AWS"]
    return Text.assemble((run.status, STYLES.get(run.status, "")), " · ", " · ".join(parts))


def _cost(run: Run) -> str:
    """What the model of a run has cost, in dollars; or that no price of it is known."""
    if run.usage.is_empty:
        return f"${0:.4f}"
    return f"no price is known for {run.model}" if run.usage.usd is None else f"${run.usage.usd:.4f}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
