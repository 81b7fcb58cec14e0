"""The numbered events of a run."""

from datetime import timedelta
from typing import Any

import pytest
from support.fakes.clock import START
from support.open_calls import open_call
from support.run_records import USAGE, new_run

from upcall.domain.run import Run
from upcall.domain.run_events import RunEvent, RunEventList, count_events
from upcall.domain.run_log import MAX_LOG_BYTES, MAX_REQUESTED_CALLS, Log, LogEntry, requires_action, waiting
from upcall.domain.run_log import round_ended as round_ended_entries
from upcall.domain.tool_calls import LedgerEntry, ToolCall, ToolOutput


def call(position: int, *, started: int | None, seconds: int = 1) -> LedgerEntry:
    """A call that started so many seconds after the start, or was answered by the run's caller."""
    output = ToolOutput(
        call_id=f"call_{position}",
        outcome="ok",
        output="Grüße",
        started_at=None if started is None else START + timedelta(seconds=started),
        duration_ms=1000 * seconds,
    )
    requested = ToolCall(call_id=f"call_{position}", name=f"tool_{position}", arguments="{}")
    return LedgerEntry(round=1, position=position, call=requested, output=output)


def run_with(*entries: LogEntry, **fields: Any) -> Run:
    return new_run().model_copy(update={"log": entries, **fields})


QUEUED = LogEntry(type="run.queued", at=START, attempt=1)
LATER = START + timedelta(minutes=1)
CALLS = [call(1, started=5, seconds=20), call(2, started=6), call(3, started=None)]
ROUND = round_ended_entries(LATER, CALLS, (), 1, USAGE)
RUN = run_with(QUEUED, *requires_action(START, 1, [each.call for each in CALLS], 0), *ROUND)


def events(run: Run, after: int = 0, limit: int = 100) -> tuple[RunEvent, ...]:
    return RunEventList.of(run, after, limit).events


def test_events_are_numbered_from_one_on() -> None:
    assert [(event.number, event.type) for event in events(RUN)] == [
        (1, "run.queued"),
        (2, "run.requires_action"),
        (3, "tool_call.ended"),
        (4, "tool_call.ended"),
        (5, "tool_call.ended"),
        (6, "round.ended"),
        (7, "run.in_progress"),
    ]
    assert count_events(RUN) == 7


def test_calls_of_a_round_end_in_the_order_of_time() -> None:
    ended = [event for event in events(RUN) if event.type == "tool_call.ended"]

    assert [event.call for event in ended] == ["1-2", "1-1", "1-3"]
    assert [(event.at - START).seconds for event in ended] == [7, 25, 60]
    first = ended[0]
    assert (first.name, first.outcome, first.duration_ms, first.output_bytes) == ("tool_2", "ok", 1000, 7)


def test_requested_calls_have_the_ids_that_they_are_answered_by() -> None:
    requested = events(RUN)[1].calls

    assert not isinstance(requested, int)
    assert requested is not None
    assert [(each.call, each.name, each.excerpt, each.arguments_bytes) for each in requested] == [
        ("1-1", "tool_1", "", 2),
        ("1-2", "tool_2", "", 2),
        ("1-3", "tool_3", "", 2),
    ]


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_pages_have_each_event_once(limit: int) -> None:
    after, seen = 0, []
    while (page := RunEventList.of(RUN, after, limit)).events:
        assert len(page.events) <= limit
        seen += [event.number for event in page.events]
        after = page.next

    assert seen == [1, 2, 3, 4, 5, 6, 7]


def test_a_number_does_not_change_when_more_happens() -> None:
    longer = run_with(*RUN.log, LogEntry(type="run.completed", at=LATER))

    assert events(longer)[:7] == events(RUN)


def test_nothing_follows_the_last_event_of_a_run_that_has_ended() -> None:
    ended = run_with(*RUN.log, status="completed")

    assert not RunEventList.of(ended, 0, 3).ended
    assert RunEventList.of(ended, 3, 100).ended
    assert RunEventList.of(ended, 7, 100).ended
    assert not RunEventList.of(RUN, 7, 100).ended


def test_a_number_that_is_not_there_yet_is_kept() -> None:
    assert RunEventList.of(RUN, 99, 10) == RunEventList(events=(), next=99, ended=False)


def full_log() -> Log:
    """A log without room for another entry."""
    entry = QUEUED
    return (entry,) * (MAX_LOG_BYTES // len(entry.to_json()))


def test_after_many_calls_only_their_number_is_kept() -> None:
    before = MAX_REQUESTED_CALLS - 2
    (requested,) = requires_action(START, 9, [each.call for each in CALLS], before)
    round_ended, _ = round_ended_entries(LATER, CALLS, full_log(), 9, USAGE)

    shown = events(run_with(requested, round_ended))
    assert [(event.type, event.calls) for event in shown] == [("run.requires_action", 3), ("round.ended", 3)]


def test_in_a_full_log_calls_that_wait_are_left_out() -> None:
    assert waiting(open_call(), full_log()[:-10])
    assert waiting(open_call(), full_log()) == ()


def test_the_longest_run_has_each_call_in_its_log() -> None:
    """Fifty rounds of twelve calls, with names and arguments of the usual length."""
    log: Log = ()
    arguments = '{"url": "https://example.com/a/page/with/a/long/name.html", "page": 2}'
    for number in range(1, 51):
        calls = [
            ToolCall(call_id=f"call_{number}_{each}", name="fetch", arguments=arguments) for each in range(12)
        ]
        entries = [
            call(position, started=5).model_copy(update={"round": number, "call": requested})
            for position, requested in enumerate(calls, start=1)
        ]
        log += requires_action(START, number, calls, 12 * (number - 1))
        log += round_ended_entries(LATER, entries, log, number, USAGE)

    assert sum(len(entry.to_json()) for entry in log) < MAX_LOG_BYTES
    assert sum(event.type == "tool_call.ended" for event in events(run_with(*log), limit=1000)) == 600
