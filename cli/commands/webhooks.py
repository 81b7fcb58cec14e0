"""`upcall webhooks`."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import JsonOption

if TYPE_CHECKING:
    from cli.webhooks.registration import Registration

app = typer.Typer(help="Let OpenAI notify a deployed stack of changes.", no_args_is_help=True)

StackNameOption = Annotated[
    str, typer.Option("--stack", envvar="UPCALL_STACK", metavar="NAME", help="The name of a deployed stack.")
]

CACHE_HINT = "Functions use a new secret after five minutes at most."


@app.callback()
def webhooks() -> None:
    """Let OpenAI notify a deployed stack of changes."""


@app.command()
def register(stack: StackNameOption, as_json: JsonOption = False) -> None:
    """Register the stack's webhook endpoint at OpenAI, and store its signing secret. Safe to repeat.

    Uses the stack's OpenAI API key and your AWS credentials.
    """
    from cli.webhooks.registration import register, stack_webhook

    with stack_webhook(stack) as webhook:
        _print_registration(register(webhook), as_json)


@app.command()
def rotate(
    stack: StackNameOption,
    revoke_old: Annotated[
        bool,
        typer.Option(
            "--revoke-old", help="Make the old secret invalid at once, and not in 24 hours: if it has leaked."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Rotate the signing secret of the stack's webhook endpoint.

    The old one stays valid for 24 hours, so no event is rejected.
    """
    from cli.webhooks.registration import rotate, stack_webhook

    with stack_webhook(stack) as webhook:
        _print_registration(rotate(webhook, revoke_old=revoke_old), as_json)


@app.command("test")
def send_test(
    stack: StackNameOption,
    event_type: Annotated[
        str, typer.Option("--event", metavar="TYPE", help="The type of the event.")
    ] = "response.completed",
    as_json: JsonOption = False,
) -> None:
    """Let OpenAI send a sample event to the stack. Exits with 1 if the stack rejects it."""
    from cli.terminal.console import out, print_json
    from cli.webhooks.registration import send_sample, stack_webhook

    with stack_webhook(stack) as webhook:
        status = send_sample(webhook, event_type)
    accepted = 200 <= status < 300
    if as_json:
        result = {"url": webhook.url, "event_type": event_type, "status_code": status, "accepted": accepted}
        print_json(out, result)
    elif accepted:
        out.print(f"{webhook.url} accepted a sample of {event_type} ({status}).", soft_wrap=True)
    else:
        out.print(f"{webhook.url} rejected a sample of {event_type} ({status}).", soft_wrap=True)
        if status == 401:
            out.print(f"{webhook.secret_name} is not the secret of the endpoint, or it is new. {CACHE_HINT}")
    raise typer.Exit(0 if accepted else 1)


def _print_registration(done: "Registration", as_json: bool) -> None:
    from dataclasses import asdict

    from cli.terminal.console import out, print_json

    if as_json:
        print_json(out, asdict(done))
        return
    out.print(f"endpoint {done.endpoint}: {done.endpoint_id}, {done.url}", soft_wrap=True)
    out.print(f"events: {', '.join(done.event_types)}", soft_wrap=True)
    out.print(f"secret {done.secret}: {done.secret_name}", soft_wrap=True)
    if done.secret == "stored":  # noqa: S105  # not a secret
        out.print(CACHE_HINT)
