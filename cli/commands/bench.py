"""`upcall bench`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import JsonOption

app = typer.Typer(help="Measure the local stack.", no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Measure the local stack."""


@app.command()
def load(
    runs: Annotated[int, typer.Option(min=1, help="The number of runs.")] = 1000,
    concurrency: Annotated[int, typer.Option(min=1, help="The maximum number of open runs.")] = 50,
    faults: Annotated[
        float, typer.Option(min=0, max=0.9, help="The share of the emulator's responses that are faulty.")
    ] = 0.1,
    seed: Annotated[int, typer.Option(help="The seed that selects the faulty responses.")] = 0,
    api: Annotated[
        str | None,
        typer.Option(help="The run API: responses, assistants or agents.", show_default="responses"),
    ] = None,
    webhooks: Annotated[
        bool,
        typer.Option(
            "--webhooks",
            help="Let runs wait for webhooks: late, doubled, reordered, forged, and a fifth lost.",
        ),
    ] = False,
    requests_per_minute: Annotated[
        int | None, typer.Option(min=1, help="The emulator's rate limit of each model, in turns.")
    ] = None,
    tokens_per_minute: Annotated[
        int | None, typer.Option(min=1, help="The emulator's rate limit of each model, in tokens.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Write an SVG of finished and open runs.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Load test: start many runs on a new local stack with injected faults, and audit each run.

    A faulty response is a 429 with or without Retry-After, a 500, a dropped connection, or slow. Exits with 1
    if a run is lost, does not end, or has duplicates, or if a forged webhook is accepted.

    A run that misses a webhook takes up to 150 seconds longer for each.
    """
    from dataclasses import asdict

    from cli.backends.base import build_run_request
    from cli.errors import CommandError
    from cli.load_test.config import LoadTestConfig
    from cli.load_test.load_test import run_load_test
    from cli.load_test.report import print_report
    from cli.terminal.console import err, out, print_json

    build_run_request("Go.", {"run_api": api})  # report invalid input before a stack is started
    if webhooks and api == "assistants":
        raise CommandError("the Assistants API has no webhooks")
    config = LoadTestConfig(
        runs, concurrency, faults, seed, api, webhooks, requests_per_minute, tokens_per_minute
    )
    report = run_load_test(config, err, plot)
    if as_json:
        print_json(out, asdict(report))
    else:
        print_report(out, report)
    raise typer.Exit(0 if report.passed else 1)
