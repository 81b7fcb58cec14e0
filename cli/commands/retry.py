"""`upcall retry`."""

from typing import Annotated

import typer

from cli.options import JsonOption, StackOption, TokenOption


def retry(
    run_id: Annotated[str, typer.Argument(help="A run that ended without a message.")],
    stack: StackOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Retry a run that ended without a message. Tool calls that have an output are not repeated."""
    from cli.backends import open_backend
    from cli.terminal.console import err, out
    from cli.terminal.run_output import print_outcome

    with open_backend(stack, token) as backend:
        outcome = backend.retry_and_follow(run_id, err)
        print_outcome(outcome, out=out, err=err, as_json=as_json)
    raise typer.Exit(0 if outcome.run.status == "completed" else 1)
