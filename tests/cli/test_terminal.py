"""Runs on a terminal, and in output that is not a terminal."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from support.open_calls import open_call
from support.run_records import new_run

from cli.backends.base import RunDetails, RunOutcome
from cli.run_progress import CallProgress, RunProgress, StatusProgress
from cli.terminal.live_view import LiveView, format_size
from cli.terminal.open_calls import OpenCallReporter
from cli.terminal.run_output import print_outcome, print_run_details, print_run_list
from upcall.client import CallerFunctions
from upcall.domain.message_text import TextPiece
from upcall.domain.run import Run
from upcall.domain.usage import Usage
from upcall.domain.views import RunSummary, RunView

from .conftest import plain_console, printed_text, terminal_console

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
END = START + timedelta(seconds=1.5)


def progress_with(call: CallProgress) -> RunProgress:
    """The progress of a run with one tool call."""
    return RunProgress(
        [
            StatusProgress("queued", START, END),
            StatusProgress("requires_action", START, END, calls={call.call: call}),
            StatusProgress("in_progress", START, END),
        ],
        ended=True,
    )


def test_plain_output_has_each_line_once_and_no_colours() -> None:
    call = CallProgress("1-1", "fetch", "http://127.0.0.1:8780/tides", START, END, "ok", 1434)
    console = plain_console()
    with LiveView(console) as view:
        for progress in (RunProgress(), progress_with(call), progress_with(call)):
            view.update(progress)
    text = printed_text(console)

    assert "\x1b" not in text
    assert text.count("queued") == 1
    assert re.search(r"✓ +\d\.\d s    fetch http://\S+/tides  1\.\d KB", text)


def test_plain_output_has_no_line_for_what_is_not_done() -> None:
    console = plain_console()
    with LiveView(console) as view:
        view.update(RunProgress([StatusProgress("queued", START)]))

    assert printed_text(console) == ""


def test_a_terminal_is_redrawn_in_place_with_colours() -> None:
    call = CallProgress("1-1", "no", "{", START, END, "error", 33, "There is no tool no.")
    console = terminal_console()
    with LiveView(console) as view:
        view.update(progress_with(call))
    text = printed_text(console)

    assert "\x1b[32m" in text
    assert "There is no tool no." in text


def test_a_terminal_shows_the_end_of_what_the_model_writes_and_escapes_what_it_must_not_send() -> None:
    console = terminal_console()
    progress = RunProgress([StatusProgress("in_progress", START)])
    lines = "".join(f"line {number}\n" for number in range(30))
    progress.add_text([TextPiece(number=1, round=0, offset=0, text=f"{lines}\x1b[2Jthe end")])
    with LiveView(console) as view:
        view.update(progress)
    text = printed_text(console)

    assert "\\u001b[2Jthe end" in text
    assert "line 29" in text
    assert "line 9\n" not in text


def test_what_the_model_wrote_is_not_shown_after_the_run_has_ended_and_not_on_other_output() -> None:
    piece = TextPiece(number=1, round=0, offset=0, text="Hello.")
    ended = RunProgress([StatusProgress("in_progress", START, END)], ended=True, text="Hello.")
    running = RunProgress([StatusProgress("in_progress", START)])
    running.add_text([piece])
    for console, progress in ((terminal_console(), ended), (plain_console(), running)):
        with LiveView(console) as view:
            view.update(progress)
        assert "Hello." not in printed_text(console)


def test_a_list_on_a_narrow_terminal_cuts_the_prompt_and_nothing_else() -> None:
    run = Run.new(
        owner="anybody",
        prompt="x" * 80,
        assistant="a",
        model="m",
        run_api="responses",
        created_at=datetime.now(UTC),
    )
    summary = RunSummary(
        run_id=run.run_id,
        status="in_progress",
        excerpt=run.last_input,
        assistant="a",
        model="m",
        round=0,
        created_at=run.created_at,
    )
    console = terminal_console(width=80)
    print_run_list(console, [summary])

    (_, line) = printed_text(console).splitlines()
    assert run.run_id in line
    assert f"{run.created_at.astimezone():%Y-%m-%d %H:%M}  xxxx" in line
    assert line.rstrip().endswith("x…")


def test_sizes_are_kilobytes() -> None:
    assert format_size(2100) == "2.1 KB"


def test_a_call_that_waits_is_printed_once_with_the_command_that_approves_it() -> None:
    run = RunView.of(new_run(), None, [open_call(), open_call(position=2, waits_for="output")])
    console = plain_console()
    reporter = OpenCallReporter(LiveView(console), CallerFunctions(), "my stack")
    for _ in range(2):
        reporter.run_updated(run)

    approval, output = printed_text(console).splitlines()
    assert approval.startswith("· refund waits for an approval until ")
    assert approval.endswith(f": upcall approvals approve {run.run_id} 1-1 --stack 'my stack'")
    assert output.startswith("· refund waits for its output until ")
    assert output.endswith(f", which this command does not give: POST /runs/{run.run_id}/tool_outputs")


def test_a_call_that_waits_is_marked_on_a_terminal() -> None:
    call = CallProgress("1-1", "refund", "47\n11", START, waits=True)
    console = terminal_console()
    with LiveView(console) as view:
        view.update(progress_with(call))

    assert re.search(r"refund\S* 47\\n11\S*  waits for an answer", printed_text(console))


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (Usage(input_tokens=900, total_tokens=900, usd=0.00123), "$0.0012"),
        (Usage(input_tokens=900, total_tokens=900), "no price is known for my-model"),
        (Usage(), "$0.0000"),
    ],
)
def test_a_run_is_shown_with_what_its_model_has_cost(usage: Usage, cost: str) -> None:
    console = plain_console()
    run = new_run(model="my-model").model_copy(update={"usage": usage})

    print_run_details(console, RunDetails(run, [], None))

    assert re.search(rf"^model's cost +{re.escape(cost)} *$", printed_text(console), re.M)


@pytest.mark.parametrize(("usd", "line"), [(0.5, r"900 tokens · \$0\.5000 · "), (None, r"900 tokens · \d")])
def test_the_last_line_of_a_run_has_its_dollars_if_they_are_known(usd: float | None, line: str) -> None:
    console = plain_console()
    run = new_run().model_copy(update={"usage": Usage(input_tokens=900, total_tokens=900, usd=usd)})

    print_outcome(RunOutcome(RunView.of(run, None, []), []), out=plain_console(), err=console, as_json=False)

    assert re.search(line, printed_text(console))
