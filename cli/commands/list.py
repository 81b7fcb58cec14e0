"""`upcall list`."""

import gc
from typing import Annotated

import typer

from cli.options import CallerOption, JsonOption, StackOption, TokenOption


def list_runs(
    status: Annotated[str | None, typer.Option(help="Only runs with this status.")] = None,
    caller: CallerOption = None,
    limit: Annotated[int, typer.Option(min=1, help="The maximum number of runs.")] = 20,
    stack: StackOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """List runs, newest first."""
    gc.disable()
    from cli.backends import open_backend
    from cli.terminal.console import out, print_json
    from cli.terminal.run_output import parse_status, print_run_list

    wanted = parse_status(status)
    with open_backend(stack, token) as backend:
        runs = backend.list_runs(wanted, limit, caller)
    if as_json:
        print_json(out, [each.model_dump(mode="json", exclude_none=True) for each in runs])
    else:
        print_run_list(out, runs)
