"""What the history of a real execution tells, and how it looks on a terminal and off it."""

import io
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import boto3
import pytest
from rich.console import Console
from support.runs import Ended, Runs

from cli import cost
from cli.execution_history import Progress, events, progress
from cli.terminal.live_view import View, argument, size
from cli.terminal.render import run_list
from local.openai_emulator import (
    Call,
    CallTools,
    Fault,
    Say,
)
from local.stack import LocalStack
from upcall.domain.run import Run
from upcall.domain.views import RunSummary

Told = Callable[[Ended], Progress]


@pytest.fixture
def runs(laptop: LocalStack) -> Iterator[Runs]:
    made = Runs(laptop)
    yield made
    made.http.close()


def told(ended: Ended) -> Progress:
    return progress(events(boto3.client("stepfunctions"), ended.execution["executionArn"]))


def test_the_states_that_a_run_passes_are_told_in_order(runs: Runs, laptop: LocalStack) -> None:
    call = Call.of("fetch", url=f"{laptop.addresses.pages}/tides")
    progress_ = told(runs.follow(CallTools((call, Call("no", "{"))), Say("Done.")))

    assert [visit.state for visit in progress_.visits] == [
        "Create run",
        "Poll run",
        "Call tools",
        "Submit tool outputs",
        "Poll run",
        "Save message",
        "Announce",
    ]
    assert all(visit.until and visit.until >= visit.since for visit in progress_.visits)
    assert progress_.ended
    fetch, unknown = progress_.visits[2].calls.values()
    assert (fetch.name, fetch.outcome, unknown.name, unknown.outcome) == ("fetch", "ok", "no", "error")


def test_transitions_are_the_states_entered(runs: Runs) -> None:
    """Create, Created?, Poll, Run status?, Save, Announce, Completed?, Done."""
    assert told(runs.follow(Say("Done."))).transitions == 8


def test_a_task_that_is_tried_again_is_a_transition_more_and_an_invocation_more(runs: Runs) -> None:
    progress_ = told(runs.follow(Say("Done."), faults=[Fault("create", 500)]))

    assert progress_.transitions == 9
    assert len([each for each in progress_.invocations if "CreateRun" in each.function]) == 2


def test_the_estimate_is_mostly_transitions_and_grows_with_each_part(runs: Runs) -> None:
    ended = runs.follow(Say("Done."))
    progress_ = told(ended)
    record = {name: value for name, value in ended.run.items() if name in Run.model_fields}
    run = Run.model_validate(record)

    dollars = cost.estimate(progress_, {}, run, [], "Done.")
    assert 8 * cost.STATE_TRANSITION < dollars < 10 * cost.STATE_TRANSITION
    memory = {each.function: 1024 for each in progress_.invocations}
    assert cost.estimate(progress_, memory, run, [], "Done.") > dollars
    assert cost.estimate(progress_, {}, run, [], "x" * 5000) > dollars


def drawn(terminal: bool, *steps: Progress) -> str:
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=100, highlight=False, emoji=False)
    with View(console) as view:
        for step in steps:
            view.show(step)
    return file.getvalue()


def test_off_a_terminal_each_line_is_printed_once_and_without_colours(runs: Runs, laptop: LocalStack) -> None:
    call = Call.of("fetch", url=f"{laptop.addresses.pages}/tides")
    progress_ = told(runs.follow(CallTools((call,)), Say("Done.")))
    text = drawn(False, Progress(), progress_, progress_)

    assert "\x1b" not in text
    assert text.count("Create run") == 1
    assert re.search(r"✓ +\d\.\d s    fetch http://\S+/tides  1\.\d KB", text)


def test_on_a_terminal_it_is_redrawn_in_place_with_colours(runs: Runs) -> None:
    progress_ = told(runs.follow(CallTools((Call("no", "{"),)), Say("Done.")))
    text = drawn(True, progress_)

    assert "\x1b[32m" in text
    assert "There is no tool no." in text


def test_a_run_in_trouble_shows_what_the_trouble_is(runs: Runs) -> None:
    ended = runs.follow(Say("Done."), faults=[Fault("poll", 503, body='{"detail": "Closed for lunch."}')])
    all_events = list(events(boto3.client("stepfunctions"), ended.execution["executionArn"]))
    failed = next(i for i, event in enumerate(all_events) if event["type"] == "TaskFailed")

    assert "TryAgain: 503: Service Unavailable" in drawn(True, progress(all_events[: failed + 1]))
    assert "Closed for lunch" not in drawn(True, progress(all_events))


def test_a_list_on_a_narrow_terminal_cuts_the_prompt_and_nothing_else() -> None:
    run = Run.new(
        prompt="x" * 80, assistant="a", model="m", run_api="responses", created_at=datetime.now(UTC)
    )
    summary = RunSummary(
        run_id=run.run_id,
        status="in_progress",
        excerpt=run.prompt,
        assistant="a",
        model="m",
        round=0,
        created_at=run.created_at,
    )
    file = io.StringIO()
    run_list(Console(file=file, force_terminal=True, width=80), [summary])

    (_, line) = file.getvalue().splitlines()
    assert run.run_id in line
    assert f"{run.created_at.astimezone():%Y-%m-%d %H:%M}  xxxx" in line
    assert line.rstrip().endswith("x…")


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [('{"url": "x", "offset": 3, "more": null}', "x 3"), ("{", "{"), ("[1]", "[1]"), ("{}", "")],
)
def test_arguments_are_shown_as_values(arguments: str, shown: str) -> None:
    assert argument(arguments) == shown


def test_sizes_are_bytes_of_utf_8() -> None:
    assert size("ä" * 1024) == "2.0 KB"
