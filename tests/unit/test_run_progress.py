"""The progress of a run, from its events."""

from datetime import datetime, timedelta
from typing import Any

from support.fakes.clock import START

from cli.run_progress import RunProgress
from upcall.domain.message_text import TextPiece
from upcall.domain.run_events import RequestedCallView, RunEvent


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


Event = tuple[float, str, dict[str, Any]]


def progress_after(*events: Event) -> RunProgress:
    """The progress after events: seconds after the start, type, and fields."""
    progress = RunProgress()
    progress.add(
        RunEvent(number=number, at=at(seconds), type=type_, **fields)
        for number, (seconds, type_, fields) in enumerate(events, start=1)
    )
    return progress


QUEUED: Event = (0.0, "run.queued", {"attempt": 1})
IN_PROGRESS: Event = (1.0, "run.in_progress", {})
FETCH = RequestedCallView(call="1-1", name="fetch", excerpt="https://example.com/", arguments_bytes=31)
REQUIRES_ACTION: Event = (3.0, "run.requires_action", {"round": 1, "calls": (FETCH,)})
ENDED = {"call": "1-1", "name": "fetch", "outcome": "ok", "started_at": at(3.1), "output_bytes": 1434}
ROUND: tuple[Event, ...] = (
    REQUIRES_ACTION,
    (4.0, "tool_call.ended", ENDED),
    (5.0, "round.ended", {"round": 1, "calls": 1}),
    (5.0, "run.in_progress", {}),
)


def test_each_status_lasts_until_the_next() -> None:
    progress = progress_after(QUEUED, IN_PROGRESS, *ROUND, (9.0, "run.completed", {}))

    assert [(each.name, each.started_at, each.ended_at) for each in progress.statuses] == [
        ("queued", at(0), at(1)),
        ("in_progress", at(1), at(3)),
        ("requires_action", at(3), at(5)),
        ("in_progress", at(5), at(9)),
    ]
    assert progress.ended


def test_a_call_is_there_from_its_request_on_and_ends_with_its_own_times() -> None:
    (call,) = progress_after(QUEUED, IN_PROGRESS, REQUIRES_ACTION).statuses[-1].calls.values()
    assert (call.name, call.excerpt, call.ended_at) == ("fetch", "https://example.com/", None)

    (call,) = progress_after(QUEUED, IN_PROGRESS, *ROUND).statuses[2].calls.values()
    assert (call.started_at, call.ended_at, call.outcome, call.output_bytes) == (at(3.1), at(4), "ok", 1434)


def test_a_call_waits_until_it_is_answered() -> None:
    waiting = (4.0, "tool_call.waiting", {"call": "1-1", "name": "fetch", "waits_for": "approval"})
    answered = (8.0, "tool_call.answered", {"call": "1-1", "name": "fetch", "decision": "approve"})

    before = progress_after(QUEUED, REQUIRES_ACTION, waiting)
    after = progress_after(QUEUED, REQUIRES_ACTION, waiting, answered)
    assert [each.statuses[-1].calls["1-1"].waits for each in (before, after)] == [True, False]


def test_a_pause_is_noted_until_the_run_goes_on() -> None:
    pause = (2.0, "run.paused", {"reason": "503: Closed for lunch.", "seconds": 4})

    assert progress_after(QUEUED, pause).statuses[-1].note == "503: Closed for lunch. Trying again in 4 s."
    assert [each.note for each in progress_after(QUEUED, pause, IN_PROGRESS).statuses] == ["", ""]
    repeated = progress_after(QUEUED, IN_PROGRESS, pause, (6.0, "run.in_progress", {}))
    assert [(each.name, each.note) for each in repeated.statuses] == [("queued", ""), ("in_progress", "")]


def test_a_retry_begins_anew() -> None:
    failed: Event = (2.0, "run.failed", {})
    progress = progress_after(QUEUED, IN_PROGRESS, failed, (60.0, "run.queued", {"attempt": 2}))

    assert [(each.name, each.started_at) for each in progress.statuses] == [("queued", at(60))]
    assert not progress.ended


def test_events_that_are_not_known_and_calls_that_were_not_listed_do_no_harm() -> None:
    later = (2.0, "tool_call.ended", {**ENDED, "call": "9-9"})
    progress = progress_after((0.0, "tool_call.dreamt", {"call": "1-1"}), QUEUED, later)

    assert progress.statuses[-1].calls["9-9"].name == "fetch"


def text(number: int, offset: int, content: str) -> TextPiece:
    return TextPiece(number=number, round=0, offset=offset, text=content)


def test_the_text_of_a_turn_grows_and_a_new_turn_begins_anew() -> None:
    progress = progress_after(QUEUED, IN_PROGRESS)

    progress.add_text([text(1, 0, "Let me "), text(2, 7, "look.")])
    assert progress.text == "Let me look."
    progress.add_text([text(3, 0, "Here it is.")])
    assert progress.text == "Here it is."


def test_what_was_written_before_tools_were_called_is_no_part_of_the_message() -> None:
    progress = progress_after(QUEUED, IN_PROGRESS)
    progress.add_text([text(1, 0, "Let me look.")])

    progress.add([RunEvent(number=3, type="run.requires_action", at=at(2), round=1, calls=(FETCH,))])

    assert progress.text == ""


def test_the_text_of_the_newest_turn_stays_though_earlier_events_come_after_it() -> None:
    """Who begins to follow a run in its second turn gets the text first, and then all events."""
    progress = RunProgress()
    progress.add_text([TextPiece(number=1, round=1, offset=0, text="Here it is.")])

    progress.add([RunEvent(number=3, type="run.requires_action", at=at(2), round=1, calls=(FETCH,))])

    assert progress.text == "Here it is."
