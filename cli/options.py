"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import CommandError


def _check_caller(name: str | None) -> str | None:
    """A name that is empty is a variable that is not set, and not all callers."""
    if name == "":
        raise CommandError("--caller needs a name")
    return name


CallerOption = Annotated[
    str | None,
    typer.Option(
        "--caller",
        metavar="NAME",
        help="Only those of this caller: `owner` in `upcall show RUN_ID --json`.",
        show_default=False,
        callback=_check_caller,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ToolsOption = Annotated[
    Path | None,
    typer.Option(
        "--tools",
        metavar="FILE.py",
        help="A Python file: the model may call its public functions, which run on this machine.",
        show_default=False,
    ),
]
StackOption = Annotated[
    str | None,
    typer.Option(
        "--stack",
        envvar="UPCALL_STACK",
        metavar="NAME|URL",
        help="A deployed stack: its name, or the URL of its API.",
        show_default="the local stack",
    ),
]
TokenOption = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="UPCALL_TOKEN",
        help="The token for a stack with a JWT authorizer.",
        show_default=False,
    ),
]
