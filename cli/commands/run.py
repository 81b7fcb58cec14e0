"""`upcall run`."""

import sys
from typing import Annotated

import typer

from cli.options import JsonOption, StackOption, TokenOption, ToolsOption


def run(
    prompt: Annotated[
        str | None, typer.Argument(help="The prompt.", show_default="summarise a sample page")
    ] = None,
    assistant: Annotated[str | None, typer.Option(help="The assistant.", show_default="summarizer")] = None,
    model: Annotated[str | None, typer.Option(help="The model.")] = None,
    api: Annotated[str | None, typer.Option(help="The run API: responses, assistants or agents.")] = None,
    previous: Annotated[
        str | None,
        typer.Option("--continue", metavar="RUN_ID", help="A completed run whose conversation to continue."),
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(
            "--completion-window", help="When the model must have done each turn: soonest, 2h or 8h."
        ),
    ] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Show the message as the model writes it.")
    ] = False,
    tools: ToolsOption = None,
    stack: StackOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start a run, show its progress, and print its message.

    The run uses the local stack: the one that `upcall local` runs, or a new one for this command. It uses
    the OpenAI emulator, or the real API if OPENAI_API_KEY is set, or the server of OPENAI_BASE_URL. With
    --stack, the run uses a deployed stack and your AWS credentials. Exits with 1 if the run ends without a
    message.

    With --tools, the model may also call the typed functions of a Python file. Their docstrings describe
    them. On the local stack they find its AWS, and not yours.
    """
    from contextlib import redirect_stdout

    from cli.backends import open_backend
    from cli.terminal.console import err, out
    from cli.terminal.run_output import print_outcome
    from cli.tools_file import load_tools_file
    from upcall.client import CallerFunctions

    fields = {
        "assistant": assistant,
        "model": model,
        "run_api": api,
        "previous_run_id": previous,
        "completion_window": window,
        **({"stream": True} if stream else {}),
    }
    with redirect_stdout(sys.stderr):  # what functions print is no result of the command
        functions = load_tools_file(tools) if tools else CallerFunctions()
    with open_backend(stack, token) as backend:
        with redirect_stdout(sys.stderr):
            outcome = backend.start_and_follow(prompt, fields, functions, err)
        print_outcome(outcome, out=out, err=err, as_json=as_json)
    raise typer.Exit(0 if outcome.run.status == "completed" else 1)
