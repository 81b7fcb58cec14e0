"""`upcall tool`."""

import gc
from typing import Annotated

import typer

from cli.options import JsonOption


def tool(
    name: Annotated[str, typer.Argument(help="The tool's name, as `upcall tools` prints it.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(help="parameter=value, or one JSON object.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Call a tool without a model, and print its output.

    A tool that needs AWS uses the running local stack (`upcall local`). If there is none, it uses an empty
    table and bucket in memory. Exits with 1 if the output is an error.
    """
    gc.disable()
    from cli.terminal.console import err, out, print_json
    from cli.tool_call.call import call_tool

    output = call_tool(name, arguments or [])
    succeeded = output.outcome == "ok"
    if as_json:
        print_json(out, output.model_dump(mode="json"))
    else:
        (out if succeeded else err).print(output.output, soft_wrap=True, markup=False)
    raise typer.Exit(0 if succeeded else 1)
