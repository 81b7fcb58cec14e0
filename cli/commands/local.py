"""`upcall local`: keeps the laptop cloud up until it is interrupted."""

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from cli.backends.local_stack import (
    PAGES_PORT,
    laptop_cloud,
    own_cloud,
    published,
    running_cloud,
)
from cli.errors import Problem
from cli.terminal.render import print_json
from local.config import Profile
from local.http_server import PortTaken

if TYPE_CHECKING:
    from local.stack import LocalStack

SAVE_EVERY_SECONDS = 1.0
"""So that `upcall list` sees what was run, and a crash loses a second at most."""


def keep_up(
    api_port: int, aws_port: int, *, out: Console, err: Console, as_json: bool, sam: bool = False
) -> None:
    """Serve until SIGINT or SIGTERM. Raises Problem if a port is taken or one is up already."""
    if (running := running_cloud()) is not None:
        raise Problem(f"a laptop cloud is up already, at {running.api}")
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    profile = Profile(api_port=api_port, aws_port=aws_port, pages_port=PAGES_PORT)
    try:
        with err.status("Starting the laptop cloud") as status, ExitStack() as ends:
            own = ends.enter_context(_cloud_for_sam(profile) if sam else own_cloud(profile))
            status.stop()
            addresses = own.addresses
            with published(addresses):
                if as_json:
                    print_json(out, asdict(addresses))
                else:
                    _print(out, addresses.api, addresses.aws, addresses.pages, addresses.openai)
                while not stop.wait(SAVE_EVERY_SECONDS):
                    own.save()
    except PortTaken as error:
        raise Problem(f"{error}: choose another with --api-port or --aws-port") from error
    err.print("Saved and stopped.", style="dim")


@contextmanager
def _cloud_for_sam(profile: Profile) -> Iterator["LocalStack"]:
    """A cloud in which every sample event is true. Raises Problem where no Docker answers."""
    make = laptop_cloud()  # first: the samples load it too
    from local.sam.docker import NoDocker
    from local.sam.samples import for_containers, hold_all

    try:
        profile = for_containers(profile)
    except NoDocker as error:
        raise Problem(str(error)) from error
    with make(profile) as cloud:
        hold_all(cloud)
        yield cloud


def _print(out: Console, api: str, aws: str, pages: str, openai: str) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_row("HTTP API", api)
    table.add_row("AWS", aws)
    table.add_row("Sample pages", pages)
    table.add_row("OpenAI", openai)
    out.print(table)
    out.print(
        f"\nStart a run:   curl -i -X POST {api}/runs "
        f"""-d '{{"prompt": "Summarise {pages}/tides"}}'"""
        f"\nLook at AWS:   aws --endpoint-url {aws} dynamodb list-tables"
        "\nStop:          Ctrl-C",
        soft_wrap=True,
        markup=False,
    )
