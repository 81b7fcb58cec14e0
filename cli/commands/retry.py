"""`upcall retry`."""

import sys
from typing import Annotated

import typer

from cli.options import JsonOption, StackOption, TokenOption, ToolsOption


def retry(
    run_id: Annotated[str, typer.Argument(help="A run that ended without a message.")],
    tools: ToolsOption = None,
    stack: StackOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Retry a run that ended without a message. Tool calls that have an output are not repeated.

    A run that was started with --tools needs them again.
    """
    from contextlib import redirect_stdout

    from cli.backends import open_backend
    from cli.terminal.console import err, out
    from cli.terminal.run_output import print_outcome
    from cli.tools_file import load_tools_file
    from upcall.client import CallerFunctions

    with redirect_stdout(sys.stderr):  # what functions print is no result of the command
        functions = load_tools_file(tools) if tools else CallerFunctions()
    with open_backend(stack, token) as backend:
        with redirect_stdout(sys.stderr):
            outcome = backend.retry_and_follow(run_id, functions, err)
        print_outcome(outcome, out=out, err=err, as_json=as_json)
    raise typer.Exit(0 if outcome.run.status == "completed" else 1)
