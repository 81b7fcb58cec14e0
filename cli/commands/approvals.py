"""`upcall approvals`."""

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.options import JsonOption, StackOption, TokenOption

if TYPE_CHECKING:
    from upcall.client import OpenCallView, RunView

app = typer.Typer(help="List, show and decide about calls that wait for an approval.", no_args_is_help=True)

RunIdArgument = Annotated[str, typer.Argument(help="The run's id.")]
CallArgument = Annotated[str, typer.Argument(metavar="CALL", help="The call's id in the run, such as 1-1.")]
ReasonOption = Annotated[str, typer.Option(help="Kept in the ledger; the model reads why a call is denied.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
DigestOption = Annotated[
    str | None,
    typer.Option(
        metavar="SHA256",
        help="The digest of the arguments that you have looked at. Does not ask.",
        show_default=False,
    ),
]


@app.callback()
def approvals() -> None:
    """List, show and decide about calls that wait for an approval.

    Without --stack, they are those of the running local stack.
    """


@app.command("list")
def list_approvals(
    limit: Annotated[int, typer.Option(min=1, help="The maximum number of runs.")] = 20,
    stack: StackOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """List calls that wait for an approval, those of the newest runs first."""
    from cli.backends.clients import open_client
    from cli.terminal.approval_output import print_approval_list
    from cli.terminal.console import out, print_json

    with open_client(stack, token) as client:
        found: list[tuple[str, OpenCallView]] = []
        runs_with_calls = 0
        for summary in client.list_runs("requires_action", sys.maxsize):
            calls = _waiting_calls(client.get_run(summary.run_id))
            found += [(summary.run_id, call) for call in calls]
            runs_with_calls += bool(calls)
            if runs_with_calls == limit:
                break
    if as_json:
        print_json(out, [{"run_id": run_id, **call.model_dump(mode="json")} for run_id, call in found])
    else:
        print_approval_list(out, found)


@app.command()
def show(
    run_id: RunIdArgument,
    call_id: Annotated[
        str | None, typer.Argument(metavar="[CALL]", help="The call's id.", show_default="all that wait")
    ] = None,
    stack: StackOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the calls of a run that wait for an approval, with their arguments and the digest of these."""
    from cli.backends.clients import open_client
    from cli.terminal.approval_output import print_approval
    from cli.terminal.console import out, print_json

    with open_client(stack, token) as client:
        run = client.get_run(run_id)
    calls = [_find_call(run, call_id)] if call_id else _waiting_calls(run)
    if as_json:
        print_json(out, [call.model_dump(mode="json") for call in calls])
        return
    for call in calls:
        print_approval(out, call)
    if not calls:
        out.print(f"no call of {run.run_id} waits for an approval", soft_wrap=True)


@app.command()
def approve(
    run_id: RunIdArgument,
    call_id: CallArgument,
    reason: ReasonOption = "",
    yes: YesOption = False,
    digest: DigestOption = None,
    stack: StackOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Approve a call with exactly the arguments that are shown. Its tool runs then.

    Without a terminal, --digest or --yes is needed.
    """
    _decide("approve", run_id, call_id, reason, yes, digest, stack, token, as_json)


@app.command()
def deny(
    run_id: RunIdArgument,
    call_id: CallArgument,
    reason: ReasonOption = "",
    yes: YesOption = False,
    digest: DigestOption = None,
    stack: StackOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Deny a call. Its tool does not run, and the model reads the reason.

    Without a terminal, --digest or --yes is needed.
    """
    _decide("deny", run_id, call_id, reason, yes, digest, stack, token, as_json)


def _decide(
    decision: Literal["approve", "deny"],
    run_id: str,
    call_id: str,
    reason: str,
    yes: bool,
    digest: str | None,
    stack: str | None,
    token: str | None,
    as_json: bool,
) -> None:
    """Show the call, ask, and send the decision with the digest of the arguments that were shown."""
    from cli.backends.clients import open_client
    from cli.errors import CommandError
    from cli.terminal.approval_output import print_approval
    from cli.terminal.console import err, out, print_json

    is_terminal = sys.stdin.isatty() and err.is_terminal
    if not (is_terminal or yes or digest):
        raise CommandError(
            "without a terminal nobody can be asked: give --yes, or --digest with what "
            f"`upcall approvals show {run_id} {call_id}` prints"
        )
    with open_client(stack, token) as client:
        call = _find_call(client.get_run(run_id), call_id)
        print_approval(err, call)
        if digest is not None and digest.lower() != call.arguments_digest:
            raise CommandError(f"call {call_id} has other arguments than those of this digest")
        question = f"{decision.capitalize()} exactly this call?"
        if not (yes or digest) and not typer.confirm(question, err=True):
            err.print("Nothing was decided.")
            raise typer.Exit(1)
        decided = client.decide(run_id, call.id, decision, call.arguments_digest, reason)
    if as_json:
        print_json(out, decided.model_dump(mode="json"))
    else:
        done = {"approve": "approved", "deny": "denied"}[decided.decision]
        out.print(f"call {call.id} of {run_id} is {done}", soft_wrap=True)


def _waiting_calls(run: "RunView") -> list["OpenCallView"]:
    return [call for call in run.open_calls if call.waits_for == "approval"]


def _find_call(run: "RunView", call_id: str) -> "OpenCallView":
    from cli.errors import CommandError

    calls = {call.id: call for call in _waiting_calls(run)}
    if call_id not in calls:
        others = f"; those that wait: {', '.join(calls)}" if calls else ""
        raise CommandError(f"no call {call_id!r} of {run.run_id} waits for an approval{others}")
    return calls[call_id]
