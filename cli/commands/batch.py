"""`upcall batch`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import CallerOption, JsonOption, StackOption, TokenOption

if TYPE_CHECKING:
    from cli.backends.batch_stack import BatchStack
    from cli.batches.input_file import InputFile
    from upcall.client import BatchRequest, BatchView, UpcallClient

app = typer.Typer(help="Submit inputs as a batch, follow it, read its results.", no_args_is_help=True)

BatchIdArgument = Annotated[str, typer.Argument(help="The batch's id.")]

ONE_SECOND = 1.0
"""Between two requests for a batch that is shown on a terminal, at most."""


@app.callback()
def batch() -> None:
    """Submit inputs as a batch, follow it, read its results.

    Without --stack, batches are those of the running local stack.
    """


@app.command()
def submit(
    file: Annotated[str, typer.Argument(metavar="FILE", help="JSONL or CSV; - is standard input.")],
    input_format: Annotated[
        str | None,
        typer.Option("--format", help="jsonl or csv.", show_default="by the file's name"),
    ] = None,
    prompt_template: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="The prompt; {{name}} is replaced by that column or field."),
    ] = None,
    assistant: Annotated[
        str | None, typer.Option(help="The assistant of lines that name none.", show_default="summarizer")
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model of lines that name none.")] = None,
    api: Annotated[str | None, typer.Option(help="The run API: responses, assistants or agents.")] = None,
    window: Annotated[
        str | None,
        typer.Option(
            "--completion-window", help="When the model must have done each turn: soonest, 2h or 8h."
        ),
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(help="How many runs are under way at once.", show_default="50")
    ] = None,
    tolerated_failures: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="The share of lines that may fail before the batch stops, from 0 to 1.",
            show_default="1",
        ),
    ] = None,
    budget_usd: Annotated[
        float | None,
        typer.Option(metavar="DOLLARS", help="What the model may cost. From then on no run is started."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Idempotency key: the same batch sent twice with it is one."),
    ] = None,
    watch: Annotated[
        bool | None, typer.Option(help="Follow the batch to its end.", show_default="no-watch")
    ] = None,
    stack: StackOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Submit the inputs in a file as a batch, and print its id.

    A line of JSONL is a prompt as a JSON string, or an object with the fields of a run or of the prompt
    template. CSV has a header. With a prompt template its columns fill it, otherwise they are fields of a
    run, of which `prompt` is one. `custom_id` names a line in the results.

    A small JSONL file is sent with the request. Anything else is uploaded to the bucket of the stack, with
    your AWS credentials: then --stack is the name of the stack.

    Without --stack, the batch runs on the local stack of `upcall local`. If none is running, one is started
    for this command, which follows the batch and saves its results. With --watch, exits with 1 if the batch
    does not complete.
    """
    from cli.backends.batch_stack import open_batch_stack
    from cli.batches.input_file import check_columns, open_input_file
    from cli.batches.request import build_batch_request, parse_format
    from cli.errors import CommandError
    from cli.terminal.batch_output import batch_command
    from cli.terminal.console import err, out

    options = {
        "prompt_template": prompt_template,
        "completion_window": window,
        "concurrency": concurrency,
        "tolerated_failures": tolerated_failures,
        "budget_usd": budget_usd,
        "defaults": {"assistant": assistant, "model": model, "run_api": api},
    }
    with open_input_file(file, parse_format(input_format)) as source:
        build_batch_request(options, input_key="any")  # report invalid options before anything is done
        check_columns(source, prompt_template)
        with open_batch_stack(stack, token, err) as target:
            if target.temporary and watch is False:
                raise CommandError(
                    "without a running local stack the batch ends with this command, which follows it: "
                    "leave out --no-watch, or start `upcall local` in another terminal"
                )
            request = _with_inputs(options, source, target)
            started = target.api.start_batch(request, key)
            if not as_json:
                out.print(started.batch_id)
            if not (watch or target.temporary):
                if as_json:
                    _print_json(started)
                else:
                    command = batch_command("watch", started.batch_id, stack)
                    err.print(f"{started.status}: {command}", style="dim", soft_wrap=True, markup=False)
                return
            ended = _follow(target.api, started.batch_id, stack, as_json=as_json, temporary=target.temporary)
            if target.temporary:
                _save_results(target.api, ended)
    raise typer.Exit(0 if ended.status == "completed" else 1)


@app.command("watch")
def watch_batch(
    batch_id: BatchIdArgument,
    stack: StackOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Follow a batch to its end. Exits with 1 if it does not complete.

    Without a terminal, prints a line when the batch has changed, every ten seconds at most. Interrupted, the
    batch goes on.
    """
    from cli.backends.clients import open_client

    with open_client(stack, token) as client:
        ended = _follow(client, batch_id, stack, as_json=as_json)
    raise typer.Exit(0 if ended.status == "completed" else 1)


@app.command()
def show(
    batch_id: BatchIdArgument,
    stack: StackOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a batch, and how far it is."""
    from cli.backends.clients import open_client
    from cli.terminal.batch_output import print_batch
    from cli.terminal.console import out

    with open_client(stack, token) as client:
        found = client.get_batch(batch_id)
    if as_json:
        _print_json(found)
    else:
        print_batch(out, found)


@app.command("list")
def list_batches(
    caller: CallerOption = None,
    limit: Annotated[int, typer.Option(min=1, help="The maximum number of batches.")] = 20,
    stack: StackOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """List batches, newest first."""
    from cli.backends.clients import open_client
    from cli.terminal.batch_output import print_batch_list
    from cli.terminal.console import out, print_json

    with open_client(stack, token) as client:
        batches = list(client.list_batches(limit, caller))
    if as_json:
        print_json(out, [each.model_dump(mode="json", exclude_none=True) for each in batches])
    else:
        print_batch_list(out, batches)


@app.command()
def results(
    batch_id: BatchIdArgument,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write to a file.", show_default="standard output"),
    ] = None,
    failures: Annotated[bool, typer.Option("--failures", help="Only lines without a message.")] = False,
    stack: StackOption = None,
    token: TokenOption = None,
) -> None:
    """Print the results of a batch that has ended, as JSONL in the order of its inputs."""
    import sys

    from cli.backends.clients import open_client
    from cli.batches.results import write_results
    from cli.terminal.console import err

    with open_client(stack, token) as client:
        lines = client.batch_result_lines(batch_id, failures_only=failures)
        if output is None:
            for line in lines:
                sys.stdout.buffer.write(line + b"\n")
            return
        count = write_results(lines, output)
    noun = "line" if count == 1 else "lines"
    err.print(f"{count:,} {noun} in {output}", soft_wrap=True, markup=False)


@app.command()
def cancel(
    batch_id: BatchIdArgument,
    stack: StackOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cancel a batch: what waits is not started, and what runs is cancelled. It has results all the same."""
    from cli.backends.clients import open_client
    from cli.terminal.console import out

    with open_client(stack, token) as client:
        cancelled = client.cancel_batch(batch_id)
    if as_json:
        _print_json(cancelled)
    else:
        out.print(f"{cancelled.batch_id} is {cancelled.status}")


def _print_json(view: "BatchView") -> None:
    from cli.terminal.console import out, print_json

    print_json(out, view.model_dump(mode="json", exclude_none=True))


def _with_inputs(options: dict[str, Any], source: "InputFile", target: "BatchStack") -> "BatchRequest":
    """The request, with the inputs if they fit into it; otherwise they are uploaded."""
    from cli.batches.input_file import NotInline, read_inline_inputs
    from cli.batches.request import build_batch_request
    from cli.batches.upload import upload
    from cli.errors import CommandError
    from cli.terminal.batch_progress import upload_progress
    from cli.terminal.console import err

    try:
        return build_batch_request(options, inputs=read_inline_inputs(source))
    except NotInline as error:
        reason = str(error)
    try:
        bucket = target.find_bucket()
    except CommandError as error:
        raise CommandError(f"{source.name} {reason}, so it must be uploaded: {error}") from error
    with upload_progress(err, source.name, source.size) as bytes_sent:
        key = upload(source, bucket, bytes_sent)
    return build_batch_request(options, input_key=key, input_format=source.format)


def _follow(
    client: "UpcallClient", batch_id: str, stack: str | None, *, as_json: bool, temporary: bool = False
) -> "BatchView":
    """Show a batch until it has ended, and how it ended."""
    from cli.errors import CommandError
    from cli.terminal.batch_output import batch_command, print_batch_end
    from cli.terminal.batch_progress import BatchProgress
    from cli.terminal.console import err
    from upcall.client.batches import MAX_PAUSE_SECONDS

    pause = ONE_SECOND if err.is_terminal else MAX_PAUSE_SECONDS
    try:
        with BatchProgress(err) as progress:
            ended = client.follow_batch(batch_id, progress.update, pause)
    except KeyboardInterrupt:
        if temporary:
            raise CommandError(f"{batch_id} has ended with the local stack of this command") from None
        follow, cancel = (batch_command(name, batch_id, stack) for name in ("watch", "cancel"))
        raise CommandError(f"{batch_id} goes on; `{follow}` follows it, `{cancel}` cancels it") from None
    if as_json:
        _print_json(ended)
        return ended
    print_batch_end(err, ended)
    if not temporary:
        command = batch_command("results", batch_id, stack)
        err.print(f"results: {command}", style="dim", soft_wrap=True, markup=False)
    return ended


def _save_results(client: "UpcallClient", ended: "BatchView") -> None:
    """Save the results of a batch whose stack ends, and print where they are."""
    from cli.batches.results import write_results
    from cli.terminal.console import err
    from local.config import STATE_FOLDER

    path = STATE_FOLDER / "batches" / f"{ended.batch_id}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_results(client.batch_result_lines(ended.batch_id), path)
    err.print(f"results: {path}", soft_wrap=True, markup=False)
