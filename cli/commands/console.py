"""`upcall console`."""

import signal
import threading
from typing import Annotated

import typer

from cli.errors import CommandError
from cli.options import StackOption, TokenOption


def console(
    stack: StackOption = None,
    token: TokenOption = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help="The port on this machine.", show_default="8784, or any if it is in use"
        ),
    ] = None,
    open_page: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the browser, if there is a display.")
    ] = True,
    samples: Annotated[
        bool, typer.Option("--samples", help="Start a few runs to look at, on the local stack.")
    ] = False,
) -> None:
    """Show a stack in the browser, until it is interrupted.

    The pages are served on this machine, at an address that nobody else can guess, and only to this machine.
    What they request of a deployed stack is signed with your AWS credentials, or sent with the token. Without
    --stack, they show the local stack: the one that `upcall local` runs, or a new one for this command.
    """
    from cli.console.browser import open_browser
    from cli.console.samples import start_samples
    from cli.console.server import ConsoleServer
    from cli.console.stack import open_console_stack
    from cli.terminal.console import err, out
    from local.http_server import PortInUse

    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    try:
        with (
            err.status("Opening the console") as status,
            open_console_stack(stack, token) as shown,
            ConsoleServer(shown, port) as server,
        ):
            if samples:
                if shown.pages is None:
                    raise CommandError(
                        "--samples is for a local stack with the emulator: its model knows them"
                    )
                start_samples(shown.api, shown.pages)
            status.stop()
            out.print(server.address, soft_wrap=True, markup=False)
            opened = open_page and open_browser(server.address)
            place = "in your browser" if opened else "at this address, which is for you alone"
            err.print(f"{shown.name}: {place}. Ctrl-C ends it.", style="dim", soft_wrap=True, markup=False)
            stop.wait()
    except PortInUse as error:
        raise CommandError(f"{error}: choose another one with --port") from error
