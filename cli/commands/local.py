"""`upcall local`."""

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import CommandError
from cli.options import JsonOption

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from local.config import Endpoints, LocalStackConfig
    from local.stack import LocalStack

SAVE_INTERVAL_SECONDS = 1.0
"""How old the saved runs are at most, for `upcall list` and after a crash."""


def local(
    api_port: Annotated[int, typer.Option(help="The port of the HTTP API.")] = 8781,
    aws_port: Annotated[int, typer.Option(help="The port of the AWS APIs.")] = 8782,
    sam: Annotated[
        bool,
        typer.Option("--sam", help="For `sam local`: serve containers too, and add the samples' data."),
    ] = False,
    otlp_endpoint: Annotated[
        str,
        typer.Option(
            envvar="OTEL_EXPORTER_OTLP_ENDPOINT",
            metavar="URL",
            help="An OpenTelemetry endpoint (OTLP over HTTP) that each run is sent to as a trace.",
        ),
    ] = "",
    trace_content: Annotated[
        bool, typer.Option("--trace-content", help="Let traces contain prompts, arguments and outputs.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run the local stack until it is interrupted.

    It serves the HTTP API, the console, the AWS APIs, sample pages and the OpenAI emulator. With --sam it
    starts empty, uses the emulator only, and is reachable from containers at the addresses in events/env.json
    (see docs/sam-local.md).
    """
    from cli.backends.local_stack import (
        PAGES_PORT,
        find_running_endpoints,
        publish_endpoints,
        start_local_stack,
    )
    from cli.backends.resume_runs import resume_runs_and_batches
    from cli.console.server import ConsoleServer
    from cli.console.stack import local_console_stack
    from cli.terminal.console import err, out, print_json
    from local.config import MESSAGE_FILE, STATE_FOLDER, LocalStackConfig
    from local.http_server import PortInUse

    if (running := find_running_endpoints()) is not None:
        raise CommandError(f"a local stack is running already, at {running.api}")
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    traces = {"OtlpEndpoint": otlp_endpoint, "TraceContent": "yes" if trace_content else "no"}
    config = LocalStackConfig(api_port=api_port, aws_port=aws_port, pages_port=PAGES_PORT, parameters=traces)
    try:
        with err.status("Starting the local stack") as status, ExitStack() as exits:
            stack = exits.enter_context(_start_stack_for_sam(config) if sam else start_local_stack(config))
            resume_runs_and_batches(stack.endpoints)
            console = exits.enter_context(ConsoleServer(local_console_stack(stack.endpoints)))
            status.stop()
            with publish_endpoints(stack.endpoints):
                if as_json:
                    print_json(out, {**asdict(stack.endpoints), "console": console.address})
                else:
                    messages = None if sam else STATE_FOLDER / MESSAGE_FILE
                    _print_endpoints(out, stack.endpoints, console.address, messages)
                while not stop.wait(SAVE_INTERVAL_SECONDS):
                    stack.save()
    except PortInUse as error:
        raise CommandError(f"{error}: choose another one with --api-port or --aws-port") from error
    err.print("Saved and stopped.", style="dim")


@contextmanager
def _start_stack_for_sam(config: "LocalStackConfig") -> Iterator["LocalStack"]:
    """A stack with the data that the sample events refer to. Raises CommandError if Docker is missing."""
    from cli.backends.local_stack import load_local_stack_class

    local_stack_class = load_local_stack_class()  # before the samples, which import it too
    from local.sam.docker import NoDocker
    from local.sam.samples import config_for_containers, prepare_all_samples

    try:
        config = config_for_containers(config)
    except NoDocker as error:
        raise CommandError(str(error)) from error
    with local_stack_class(config) as stack:
        prepare_all_samples(stack)
        yield stack


def _print_endpoints(out: "Console", endpoints: "Endpoints", console: str, messages: "Path | None") -> None:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_row("HTTP API", endpoints.api)
    table.add_row("AWS APIs", endpoints.aws)
    table.add_row("Sample pages", endpoints.pages)
    table.add_row("OpenAI", endpoints.openai)
    if messages is not None:
        table.add_row("Messages", str(messages))
    out.print(table)
    out.print(
        f"\nLook at it:    {console}"
        f"\nStart a run:   curl -i -X POST {endpoints.api}/runs "
        f"""-d '{{"prompt": "Summarise {endpoints.pages}/tides"}}'"""
        f"\nInspect AWS:   aws --endpoint-url {endpoints.aws} dynamodb list-tables"
        "\nStop:          Ctrl-C",
        soft_wrap=True,
        markup=False,
    )
