"""A load from its order to its figures."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from cli.api import Api
from cli.clouds import laptop_cloud
from cli.load.audit import audited, settled
from cli.load.drive import drive
from cli.load.ear import Ear
from cli.load.figures import Figures, figures
from cli.load.order import Order
from cli.load.plot import drawing
from cli.load.report import progress
from local.memory import peak_megabytes
from local.profile import Profile

if TYPE_CHECKING:
    from local.cloud import LaptopCloud


def run_load(order: Order, err: Console, plot: Path | None = None) -> Figures:
    """Bear a load on a cloud that is made for it; draws how it went into a file, if one is named."""
    with tempfile.TemporaryDirectory() as folder, err.status("Starting the laptop cloud") as status:
        profile = Profile(state_folder=Path(folder), faulty_share=order.faulty_share, seed=order.seed)
        with laptop_cloud()(profile) as cloud:
            status.stop()
            return bear(order, cloud, err, plot)


def bear(order: Order, cloud: "LaptopCloud", err: Console, plot: Path | None = None) -> Figures:
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
