"""The `upcall` command: builds the parser from the modules in `cli.commands`, and prints errors."""

import sys

import typer

from cli.commands.approvals import app as approvals
from cli.commands.batch import app as batch
from cli.commands.bench import app as bench
from cli.commands.cancel import cancel
from cli.commands.console import console
from cli.commands.doctor import doctor
from cli.commands.list import list_runs
from cli.commands.listen import listen
from cli.commands.local import local
from cli.commands.publish import publish
from cli.commands.quota import app as quota
from cli.commands.retry import retry
from cli.commands.run import run
from cli.commands.send_event import send_event
from cli.commands.show import show
from cli.commands.stop import resume, stop
from cli.commands.tool import tool
from cli.commands.tools import list_tools
from cli.commands.trigger import trigger
from cli.commands.webhooks import app as webhooks
from cli.errors import CommandError
from upcall.domain.errors import UpcallError

app = typer.Typer(
    help="Upcall runs OpenAI function calls on AWS without a server.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("run")(run)
app.command("list")(list_runs)
app.command("show")(show)
app.command("cancel")(cancel)
app.command("retry")(retry)
app.add_typer(approvals, name="approvals")
app.command("tools")(list_tools)
app.command("tool")(tool)
app.command("local")(local)
app.command("console")(console)
app.command("publish")(publish)
app.command("send-event")(send_event)
app.command("trigger")(trigger)
app.command("listen")(listen)
app.command("doctor")(doctor)
app.add_typer(quota, name="quota")
app.command("stop")(stop)
app.command("resume")(resume)
app.add_typer(batch, name="batch")
app.add_typer(webhooks, name="webhooks")
app.add_typer(bench, name="bench")


def main() -> None:
    """Run the command. An error that the user can fix is one line on standard error, and exit code 2."""
    try:
        app()
    except (CommandError, UpcallError) as error:
        from cli.terminal.console import err

        message = " ".join(str(error).split())  # it may quote a server, on several lines
        err.print(f"upcall: {message}", style="red", soft_wrap=True, markup=False)
        sys.exit(2)


if __name__ == "__main__":
    main()
