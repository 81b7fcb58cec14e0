"""`upcall show`."""

import gc
from typing import Annotated

import typer

from cli.options import JsonOption, StackOption, TokenOption


def show(
    run_id: Annotated[str, typer.Argument(help="The run's id, as `upcall list` prints it.")],
    stack: StackOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a run: its record, its tool calls and its message.

    The tool calls are shown with the decisions about them, and those that still wait with what they wait for.
    """
    gc.disable()
    from cli.backends import open_backend
    from cli.terminal.console import out, print_json
    from cli.terminal.run_output import print_run_details

    with open_backend(stack, token) as backend:
        details = backend.get_run(run_id)
    if as_json:
        record = details.run.model_dump(mode="json", exclude_none=True)
        ledger = [entry.model_dump(mode="json") for entry in details.ledger]
        open_calls = [call.model_dump(mode="json") for call in details.open_calls]
        print_json(out, {**record, "open_calls": open_calls, "ledger": ledger, "message": details.message})
    else:
        print_run_details(out, details)
