"""`upcall stop` and `upcall resume`."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import JsonOption, StackOption

if TYPE_CHECKING:
    from upcall.domain.stop import Scope

AllOption = Annotated[bool, typer.Option("--all", help="All runs.")]
CallerOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="The runs of a caller.", show_default=False)
]
BatchOption = Annotated[
    str | None, typer.Option(metavar="ID", help="The runs of a batch.", show_default=False)
]


def stop(
    everything: AllOption = False,
    caller: CallerOption = None,
    batch: BatchOption = None,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Cancel the runs that are open, too. Otherwise they go on.")
    ] = False,
    status: Annotated[bool, typer.Option("--status", help="Show what is stopped.")] = False,
    stack: StackOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop the start of runs, until they are resumed. Requests are answered with 503; messages wait.

    Without --stack, on the running local stack. Uses your AWS credentials.
    """
    from cli.control.cancel_open_runs import cancel_open_runs
    from cli.control.stack_controls import open_controls
    from cli.control.switch import stop as stop_runs
    from cli.terminal.console import out, print_json

    if status:
        _show_stops(stack, as_json)
        return
    scope, name = _scope(everything, caller, batch)
    with open_controls(stack) as controls:
        stop_runs(controls, scope, name)
        cancelled = cancel_open_runs(controls, scope, name) if cancel else 0
    if as_json:
        print_json(out, {"scope": scope, "name": name, "cancelled": cancelled})
        return
    cancelled_text = f"; {cancelled:,} open runs are being cancelled" if cancel else "; open runs go on"
    out.print(f"stopped: {_subject(scope, name)}{cancelled_text}", soft_wrap=True, markup=False)


def resume(
    everything: AllOption = False,
    caller: CallerOption = None,
    batch: BatchOption = None,
    stack: StackOption = None,
) -> None:
    """Let runs start again that were stopped. Other stops stay: see `upcall stop --status`."""
    from cli.control.stack_controls import open_controls
    from cli.control.switch import resume as resume_runs
    from cli.terminal.console import out

    scope, name = _scope(everything, caller, batch)
    with open_controls(stack) as controls:
        resume_runs(controls, scope, name)
        left = controls.items.list_stops()
    out.print(f"resumed: {_subject(scope, name)}", soft_wrap=True, markup=False)
    for each in left:
        out.print(f"still stopped: {each.subject}", soft_wrap=True, markup=False)


def _show_stops(stack: str | None, as_json: bool) -> None:
    from cli.control.stack_controls import open_controls
    from cli.terminal.console import out, print_json

    with open_controls(stack) as controls:
        stops = controls.items.list_stops()
    if as_json:
        print_json(out, [each.model_dump(mode="json") for each in stops])
        return
    for each in stops:
        since = f"{each.since:%Y-%m-%dT%H:%M:%SZ}"
        out.print(f"stopped since {since}: {each.subject}", soft_wrap=True, markup=False)
    if not stops:
        out.print("nothing is stopped")


def _scope(everything: bool, caller: str | None, batch: str | None) -> "tuple[Scope, str]":
    from cli.errors import CommandError

    given: list[tuple[Scope, str]] = []
    if everything:
        given.append(("all", ""))
    if caller:
        given.append(("caller", caller))
    if batch:
        given.append(("batch", batch))
    if len(given) != 1:
        raise CommandError("give one of --all, --caller and --batch")
    return given[0]


def _subject(scope: "Scope", name: str) -> str:
    return "all runs" if scope == "all" else f"the runs of {scope} {name}"
