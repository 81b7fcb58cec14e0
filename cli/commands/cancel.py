"""`upcall cancel`."""

from typing import Annotated

import typer

from cli.options import JsonOption, StackOption, TokenOption


def cancel(
    run_id: Annotated[str, typer.Argument(help="The run's id.")],
    stack: StackOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cancel a run: upstream, in the workflow and in the table. A run that has ended is an error."""
    from cli.backends import open_backend
    from cli.terminal.console import out, print_json

    with open_backend(stack, token) as backend:
        run = backend.cancel_run(run_id)
    if as_json:
        print_json(out, run.model_dump(mode="json", exclude_none=True))
    else:
        out.print(f"{run.run_id} is {run.status}")
