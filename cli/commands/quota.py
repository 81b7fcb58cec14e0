"""`upcall quota`."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import JsonOption, StackOption

if TYPE_CHECKING:
    from upcall.domain.quota import QuotaSetting

app = typer.Typer(help="Set, show and remove the quotas of single callers.", no_args_is_help=True)

CallerArgument = Annotated[
    str, typer.Argument(metavar="CALLER", help="The caller's name: `owner` in `upcall show RUN_ID --json`.")
]


@app.callback()
def quota() -> None:
    """Set, show and remove the quotas of single callers.

    Days are those of UTC. Without --stack, they are those of the running local stack. Uses your AWS
    credentials.
    """


@app.command("set")
def set_quota(
    caller: CallerArgument,
    runs: Annotated[int | None, typer.Option(min=0, help="Runs that may start in a day.")] = None,
    tokens: Annotated[int | None, typer.Option(min=0, help="Tokens of a day.")] = None,
    usd: Annotated[float | None, typer.Option(min=0, help="Dollars of a day.")] = None,
    concurrent: Annotated[int | None, typer.Option(min=0, help="Runs that may be open at once.")] = None,
    stack: StackOption = None,
) -> None:
    """Set quotas of a caller. 0 is none; what is not given stays as it was.

    A quota that was never set is that of all callers.
    """
    from cli.control.stack_controls import open_controls
    from cli.errors import CommandError
    from cli.terminal.console import out
    from upcall.domain.quota import QuotaSetting

    given = QuotaSetting(runs=runs, tokens=tokens, usd=usd, concurrent=concurrent)
    changes = given.model_dump(exclude_none=True)
    if not changes:
        raise CommandError("give --runs, --tokens, --usd or --concurrent")
    with open_controls(stack) as controls:
        before = controls.items.get_setting(caller) or QuotaSetting()
        setting = before.model_copy(update=changes)
        controls.items.set_quota(caller, setting)
    out.print(f"{caller}: {_describe(setting)}", soft_wrap=True, markup=False)


@app.command()
def show(caller: CallerArgument, stack: StackOption = None, as_json: JsonOption = False) -> None:
    """Show the quotas that were set for a caller, and what its runs with a quota have used today."""
    from datetime import UTC, datetime

    from cli.control.stack_controls import open_controls
    from cli.terminal.console import out, print_json
    from upcall.domain.quota import MICRO, day_of

    day = day_of(datetime.now(UTC))
    with open_controls(stack) as controls:
        setting = controls.items.get_setting(caller)
        used = controls.items.get_usage(caller, day)
    usage = {"runs": used.runs, "tokens": used.tokens, "usd": used.usd / MICRO, "concurrent": used.concurrent}
    if as_json:
        quotas = setting.model_dump(exclude_none=True) if setting else {}
        print_json(out, {"caller": caller, "quota": quotas, "day": day, "used": usage})
        return
    quotas_text = _describe(setting) if setting else "those of all callers"
    out.print(f"{caller}: {quotas_text}", soft_wrap=True, markup=False)
    out.print(
        f"{day}: {used.runs:,} runs, {used.tokens:,} tokens, {used.usd / MICRO:,.4f} dollars, "
        f"{used.concurrent:,} open",
        soft_wrap=True,
    )


@app.command()
def remove(caller: CallerArgument, stack: StackOption = None) -> None:
    """Let a caller have the quotas of all. Safe to repeat."""
    from cli.control.stack_controls import open_controls
    from cli.terminal.console import out

    with open_controls(stack) as controls:
        controls.items.remove_quota(caller)
    out.print(f"{caller}: those of all callers", soft_wrap=True, markup=False)


def _describe(setting: "QuotaSetting") -> str:
    units = {
        "runs": "runs a day",
        "tokens": "tokens a day",
        "usd": "dollars a day",
        "concurrent": "open runs",
    }
    parts = [
        f"{value:,g} {units[name]}" if value else f"no quota of {units[name]}"
        for name, value in setting.model_dump(exclude_none=True).items()
    ]
    return ", ".join(parts)
