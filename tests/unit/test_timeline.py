"""The timeline of a run in text."""

import io
from datetime import datetime, timedelta

from rich.console import Console
from support.fakes.clock import START

from cli.run_progress import CallProgress, RunProgress, StatusProgress
from cli.terminal.timeline import BAR_CHARACTERS, timeline


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def drawn(progress: RunProgress, now: datetime = START) -> list[str]:
    """The lines of a timeline."""
    console = Console(width=120, record=True, file=io.StringIO())
    table = timeline(progress, now)
    if table is not None:
        console.print(table)
    return console.export_text().splitlines()


FETCH = CallProgress("1-1", "fetch", "https://example.com/", at(5), at(7.5), "ok")
PROGRESS = RunProgress(
    [
        StatusProgress("queued", at(0), at(0)),
        StatusProgress("in_progress", at(0), at(5)),
        StatusProgress("requires_action", at(5), at(10), calls={"1-1": FETCH}),
    ],
    ended=True,
)


def test_bars_lie_on_one_axis() -> None:
    queued, in_progress, requires_action, fetch = drawn(PROGRESS)
    half = BAR_CHARACTERS // 2

    assert in_progress.count("━") == requires_action.count("━") == half
    assert requires_action.index("━") - in_progress.index("━") == half
    assert (fetch.index("━"), fetch.count("━")) == (requires_action.index("━"), half // 2)
    assert queued.count("━") == 1, "nothing is too short to be seen"
    assert fetch.startswith("  fetch https://example.com/")
    assert fetch.endswith("2.5 s")


def test_what_has_not_ended_goes_on_until_now() -> None:
    (line,) = drawn(RunProgress([StatusProgress("in_progress", at(0))]), now=at(8))

    assert line.count("━") == BAR_CHARACTERS
    assert line.endswith("8.0 s")


def test_without_events_there_is_nothing_to_draw() -> None:
    assert timeline(RunProgress(), START) is None
