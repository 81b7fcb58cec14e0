"""A load from its order to its figures."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from cli.backends.http_client import Api
from cli.backends.local_stack import laptop_cloud
from cli.load_test.audit import audited, settled
from cli.load_test.config import Order
from cli.load_test.event_listener import Ear
from cli.load_test.plot import drawing
from cli.load_test.report import progress
from cli.load_test.results import Figures, figures
from cli.load_test.runner import drive
from local.config import Profile
from local.peak_memory import peak_megabytes

if TYPE_CHECKING:
    from local.stack import LocalStack


def run_load(order: Order, err: Console, plot: Path | None = None) -> Figures:
    """Bear a load on a cloud that is made for it; draws how it went into a file, if one is named."""
    with tempfile.TemporaryDirectory() as folder, err.status("Starting the laptop cloud") as status:
        profile = Profile(state_folder=Path(folder), faulty_share=order.faulty_share, seed=order.seed)
        with laptop_cloud()(profile) as cloud:
            status.stop()
            return bear(order, cloud, err, plot)


def bear(order: Order, cloud: "LocalStack", err: Console, plot: Path | None = None) -> Figures:
    """Bear a load on a cloud that has had no other runs."""
    ear = Ear(cloud.stack.bus)
    with Api(cloud.addresses.api) as api, progress(err, order.runs) as told:
        sent = drive(order, api, f"Summarise {cloud.addresses.pages}/tides", ear, told)
    executions = settled(cloud.stack)
    verdict = audited(cloud.stack, sent, executions, ear.stop())
    if plot is not None:
        plot.write_text(drawing(sent), "utf-8")
    climate = cloud.emulator.climate
    return figures(
        order,
        sent,
        verdict,
        peak_megabytes=peak_megabytes(),
        requests=climate.requests,
        faults=climate.met,
        turns=sum(len(turns) for turns in cloud.emulator.brain.begun.values()),
    )
