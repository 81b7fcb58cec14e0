"""The commands. Each finds its cloud, does one thing, and prints it for people or for machines."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.commands import bench
from cli.errors import Problem
from upcall.domain.errors import UpcallError

app = typer.Typer(
    help="Upcall runs OpenAI function calls on AWS without a server.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(bench.app, name="bench")
out = Console(highlight=False, emoji=False)
err = Console(stderr=True, highlight=False, emoji=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
OnStack = Annotated[
    str | None,
    typer.Option(
        "--stack",
        envvar="UPCALL_STACK",
        metavar="NAME|URL",
        help="A deployed stack, or its URL.",
        show_default="the laptop",
    ),
]
Token = Annotated[
    str | None,
    typer.Option(envvar="UPCALL_TOKEN", help="For a stack with a JWT authoriser.", show_default=False),
]


def main() -> None:
    """Run the command; what the user can mend is one line on standard error, and exit code 2."""
    try:
        app()
    except (Problem, UpcallError) as error:
        words = " ".join(str(error).split())  # which may be those of others, on several lines
        err.print(f"upcall: {words}", style="red", soft_wrap=True, markup=False)
        sys.exit(2)


@app.command()
def run(
    prompt: Annotated[
        str | None, typer.Argument(help="What to do.", show_default="summarise a sample page")
    ] = None,
    assistant: Annotated[
        str | None, typer.Option(help="The assistant that does it.", show_default="summarizer")
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model that thinks.")] = None,
    api: Annotated[str | None, typer.Option(help="The run API: responses, assistants or agents.")] = None,
    previous: Annotated[
        str | None, typer.Option("--continue", metavar="RUN_ID", help="A completed run to go on from.")
    ] = None,
    stack: OnStack = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Start a run, watch it, and print its message.

    Runs on the laptop cloud: the one that `upcall local` keeps up, or one of its own. With
    OPENAI_API_KEY or OPENAI_BASE_URL set, the real API or that server is used in place of the
    emulator. With --stack, runs there, with the user's AWS credentials. Exits with 1 if the run ends
    without a message.
    """
    from cli.backends.choose import source
    from cli.commands.run import run_and_show

    fields = {"assistant": assistant, "model": model, "run_api": api, "previous_run_id": previous}
    with source(stack, token) as runs:
        completed = run_and_show(runs, prompt, fields, out=out, err=err, as_json=as_json)
    raise typer.Exit(0 if completed else 1)


@app.command("list")
def list_runs(
    status: Annotated[str | None, typer.Option(help="Only runs of this status.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    stack: OnStack = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """List runs, newest first."""
    from cli.backends.choose import source
    from cli.terminal.render import print_json, run_list, status_of

    wanted = status_of(status)
    with source(stack, token) as runs:
        found = runs.listed(wanted, limit)
    if as_json:
        print_json(out, [each.model_dump(mode="json", exclude_none=True) for each in found])
    else:
        run_list(out, found)


@app.command()
def show(
    run_id: Annotated[str, typer.Argument(help="The run's id, as `upcall list` prints it.")],
    stack: OnStack = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Show a run: the record, the ledger of its tool calls, the message."""
    from cli.backends.choose import source
    from cli.terminal.render import print_json, whole_run

    with source(stack, token) as runs:
        found = runs.shown(run_id)
    if as_json:
        record = found.run.model_dump(mode="json", exclude_none=True)
        calls = [entry.model_dump(mode="json") for entry in found.ledger]
        print_json(out, {**record, "ledger": calls, "message": found.message})
    else:
        whole_run(out, found.run, found.ledger, found.message)


@app.command()
def cancel(
    run_id: Annotated[str, typer.Argument(help="The run's id.")],
    stack: OnStack = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Cancel a run: upstream, in the workflow and in the table. One that has ended is refused."""
    from cli.backends.choose import source
    from cli.terminal.render import print_json

    with source(stack, token) as runs:
        ended = runs.cancelled(run_id)
    if as_json:
        print_json(out, ended.model_dump(mode="json", exclude_none=True))
    else:
        out.print(f"{ended.run_id} is {ended.status}")


@app.command()
def retry(
    run_id: Annotated[str, typer.Argument(help="A run that ended without a message.")],
    stack: OnStack = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Try a run again that ended without a message; what its tools have answered is not asked again."""
    from cli.backends.choose import source
    from cli.commands.run import show as show_outcome

    with source(stack, token) as runs:
        completed = show_outcome(runs.retried(run_id, err), out=out, err=err, as_json=as_json)
    raise typer.Exit(0 if completed else 1)


@app.command("tools")
def list_tools(as_json: Json = False) -> None:
    """List the tools: what a model is told of each, what repeating a call means, what runs it."""
    import tools
    from cli.commands.tool import described, tool_list
    from cli.terminal.render import print_json

    if as_json:
        print_json(out, [described(name) for name in tools.names()])
    else:
        tool_list(out, tools.names())


@app.command()
def tool(
    name: Annotated[str, typer.Argument(help="The tool's name, as `upcall tools` prints it.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(help="parameter=value, or one JSON object.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Call a tool without a model, and print what a model would read. Exits with 1 if that is an error."""
    from cli.commands.tool import call
    from cli.terminal.render import print_json

    answer = call(name, arguments or [])
    if as_json:
        print_json(out, answer.model_dump(mode="json"))
    else:
        console = out if answer.outcome == "ok" else err
        console.print(answer.output, soft_wrap=True, markup=False)
    raise typer.Exit(0 if answer.outcome == "ok" else 1)


@app.command("send-event")
def send_event(
    file: Annotated[Path, typer.Argument(help="A file of JSON, such as those in events/messages.")],
) -> None:
    """Send an event to the laptop cloud that `upcall local` keeps up; `upcall list` shows what it starts."""
    from cli.commands.send_event import send_event as send

    out.print(f"sent to {send(file)}", soft_wrap=True)


@app.command()
def fire(
    what: Annotated[
        str, typer.Argument(help="schedule, for a digest of URLs; sweep, for runs that nothing works on.")
    ] = "schedule",
    urls: Annotated[
        list[str] | None, typer.Argument(help="What to summarise.", show_default="the sample pages")
    ] = None,
) -> None:
    """Do now what a clock does on AWS, on the laptop cloud that `upcall local` keeps up."""
    from cli.commands.send_event import fire as fire_now

    out.print(fire_now(what, urls or []), soft_wrap=True)


@app.command()
def listen(
    port: Annotated[int, typer.Option(help="Where callbacks are taken.")] = 8784,
    as_json: Json = False,
) -> None:
    """Take the callbacks of runs on the laptop cloud, check their signatures and print them."""
    from cli.commands.listen import listen as take

    take(port, out=out, err=err, as_json=as_json)


@app.command()
def local(
    api_port: Annotated[int, typer.Option(help="Where the HTTP API answers.")] = 8781,
    aws_port: Annotated[int, typer.Option(help="Where AWS answers.")] = 8782,
    sam: Annotated[
        bool,
        typer.Option("--sam", help="For `sam local`: answer containers too, with the samples' run in it."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Keep the laptop cloud up: the HTTP API, AWS, sample pages and the OpenAI emulator.

    With --sam it is one that starts empty, drives runs on the emulator alone, and answers functions in
    containers as events/env.json tells them (docs/sam-local.md).
    """
    from cli.commands.local import keep_up

    keep_up(api_port, aws_port, out=out, err=err, as_json=as_json, sam=sam)


@app.command()
def doctor(
    stack: Annotated[
        str | None, typer.Option(help="A deployed stack.", show_default="look at the laptop")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what a deployed stack, or the laptop, lacks. Exits with 1 if something is to be mended.

    Looks with your AWS credentials, and changes nothing.
    """
    from dataclasses import asdict

    from cli.commands.doctor import (
        examine_laptop,
        examine_stack,
        is_bad,
        show,
    )
    from cli.terminal.render import print_json

    findings = examine_stack(stack) if stack else examine_laptop()
    if as_json:
        found = list(findings)
        print_json(out, [asdict(each) for each in found])
        raise typer.Exit(1 if any(map(is_bad, found)) else 0)
    raise typer.Exit(1 if show(out, findings) else 0)


if __name__ == "__main__":
    main()
