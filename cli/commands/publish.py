"""`upcall publish`."""

from typing import Annotated

import typer

from cli.options import JsonOption


def publish(
    stack: Annotated[
        str,
        typer.Option("--stack", envvar="UPCALL_STACK", metavar="NAME", help="The name of a deployed stack."),
    ],
    as_json: JsonOption = False,
) -> None:
    """Upload the pages of the console to a stack's site.

    A stack with a JWT authorizer has one if the parameter ConsoleClientId is set. Files that the console no
    longer has are deleted. Uses your AWS credentials. Safe to repeat.
    """
    from dataclasses import asdict

    from cli.backends.stack_lookup import user_session
    from cli.console.site import publish_site
    from cli.terminal.console import out, print_json

    published = publish_site(stack, user_session())
    if as_json:
        print_json(out, asdict(published))
        return
    deleted = f", {published.deleted} old ones deleted" if published.deleted else ""
    out.print(f"{published.files} files uploaded{deleted}", soft_wrap=True, markup=False)
    out.print(published.url, soft_wrap=True, markup=False)
