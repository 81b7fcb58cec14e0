"""`upcall bench`: measurements that a user can repeat."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(help="Measure the laptop cloud.", no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Measure the laptop cloud."""


@app.command()
def load(
    runs: Annotated[int, typer.Option(min=1, help="How many runs.")] = 1000,
    concurrency: Annotated[int, typer.Option(min=1, help="How many are under way at a time.")] = 50,
    faults: Annotated[
        float, typer.Option(min=0, max=0.9, help="The share of the emulator's answers that are wrong.")
    ] = 0.1,
    seed: Annotated[int, typer.Option(help="Which answers are wrong.")] = 0,
    api: Annotated[
        str | None,
        typer.Option(help="The run API: responses, assistants or agents.", show_default="responses"),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="An SVG to draw how it went into.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Run many runs at once on a laptop cloud of its own, in bad weather, and look at what became of each.

    Of the emulator's answers a share are 429, with and without Retry-After, 500, cut off or slow. Exits with
    1 if a run is lost, is done twice or does not end.
    """
    from dataclasses import asdict

    from cli.commands.run import request
    from cli.load_test.config import Order
    from cli.load_test.load_test import run_load
    from cli.load_test.report import show
    from cli.terminal.render import print_json

    request("Go.", {"run_api": api})  # bad input need not wait for a cloud
    out, err = Console(highlight=False, emoji=False), Console(stderr=True, highlight=False, emoji=False)
    order = Order(runs, concurrency, faults, seed, api)
    told = run_load(order, err, plot)
    if as_json:
        print_json(out, asdict(told))
    else:
        show(out, told)
    raise typer.Exit(0 if told.good else 1)
