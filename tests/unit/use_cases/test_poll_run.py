from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fakes.clock import FakeClock
from support.fakes.run_api import FakeRunApi
from support.fakes.run_repository import InMemoryRunRepository
from support.run_records import CALL, FAILURE, UPSTREAM_RUN, USAGE, new_run

from upcall.domain.completion_window import CompletionWindow
from upcall.domain.errors import RequestRejected, TransientError
from upcall.domain.failure import Failure
from upcall.domain.limits import MAX_CALLS, Counters, Limits
from upcall.domain.message_text import TextDelta
from upcall.domain.run_log import RequestedCall
from upcall.domain.state_budget import max_calls_bytes
from upcall.domain.tool_calls import ToolCall
from upcall.domain.upstream_errors import MAX_ERRORS, NO_ERRORS, UpstreamErrors
from upcall.domain.upstream_run import UpstreamSnapshot
from upcall.observability import metrics
from upcall.run_apis.base import MIN_REQUEST_SECONDS
from upcall.use_cases.poll_run import MIN_STREAM_SECONDS, poll_run

WORKING = UpstreamSnapshot(status="in_progress")
DONE = UpstreamSnapshot(status="completed", usage=USAGE)
WAITING = UpstreamSnapshot.requires_action((CALL,), USAGE)


class Polls:
    """Polls a run on a fake server, with a fake clock."""

    def __init__(self, *snapshots: UpstreamSnapshot) -> None:
        self.clock = FakeClock()
        self.run_api = FakeRunApi()
        self.run_api.snapshots = list(snapshots or [WORKING])
        self.repository = InMemoryRunRepository()
        self.run_id = self.repository.add_run(new_run()).run_id

    def poll(
        self,
        window_seconds: float,
        limits: Limits | None = None,
        counters: Counters | None = None,
        waited_seconds: float = 0,
        completion_window: CompletionWindow | None = None,
        *,
        stream: bool = False,
    ) -> UpstreamSnapshot:
        """Poll for one window."""
        return poll_run(
            self.run_id,
            UPSTREAM_RUN,
            limits or Limits(),
            counters or Counters(),
            window_seconds,
            waited_seconds,
            completion_window,
            stream=stream,
            repository=self.repository,
            get_run_api=self.run_api.get,
            clock=self.clock,
        )

    @property
    def count(self) -> int:
        """How many polls the server has answered."""
        assert set(map(str, self.run_api.polled)) <= {str(UPSTREAM_RUN)}
        return len(self.run_api.polled)


def working(pause_seconds: float) -> UpstreamSnapshot:
    """A run at work, whose server asks for a pause."""
    return UpstreamSnapshot(status="in_progress", pause_seconds=pause_seconds)


def test_requested_calls_are_written_down_once_however_often_they_are_seen() -> None:
    polls = Polls(WAITING)

    polls.poll(window_seconds=5)
    polls.poll(window_seconds=5)

    queued, requested = polls.repository.get_run(polls.run_id).log
    assert (queued.type, requested.type, requested.round) == ("run.queued", "run.requires_action", 1)
    assert requested.requested == (RequestedCall(CALL.name, "https://example.com/", len(CALL.arguments)),)


def test_calls_that_are_not_made_are_not_written_down() -> None:
    polls = Polls(WAITING)

    assert polls.poll(window_seconds=5, limits=Limits(rounds=0)).failure

    assert [entry.type for entry in polls.repository.get_run(polls.run_id).log] == ["run.queued"]


def test_the_text_of_a_streamed_run_is_recorded_until_its_turn_ends() -> None:
    polls = Polls(DONE)
    polls.run_api.deltas = [TextDelta(1, "Hello")]

    assert polls.poll(window_seconds=25, stream=True) == DONE

    assert [piece.text for piece in polls.repository.list_pieces(polls.run_id, 0, 9)] == ["Hello"]
    assert polls.run_api.streamed == [(UPSTREAM_RUN, None, 25)]


def test_a_stream_gets_no_more_than_the_window_and_a_while_where_there_is_no_window() -> None:
    polls = Polls(DONE)

    polls.poll(window_seconds=0, stream=True)
    polls.poll(window_seconds=60, limits=Limits(seconds=30), stream=True)
    polls.poll(window_seconds=60, limits=Limits(seconds=30), counters=Counters(seconds=40), stream=True)

    assert [seconds for *_, seconds in polls.run_api.streamed] == [MIN_STREAM_SECONDS, 30]


def test_a_run_whose_stream_takes_the_whole_window_is_polled_once_after_it() -> None:
    polls = Polls(WORKING)
    polls.run_api.deltas = [lambda: polls.clock.advance(25)]

    assert polls.poll(window_seconds=25, stream=True) == WORKING
    assert (polls.count, polls.clock.sleeps) == (1, [])


def test_a_run_whose_stream_ends_early_is_polled_until_the_window_ends() -> None:
    polls = Polls(WORKING, WORKING, DONE)
    polls.run_api.fail_next("stream_text", RequestRejected("more than 5 minutes old", code="http_400"))

    assert polls.poll(window_seconds=25, stream=True) == DONE
    assert polls.count == 3


def test_other_runs_are_not_streamed() -> None:
    polls = Polls(DONE)
    polls.poll(window_seconds=25)

    assert polls.run_api.streamed == []


def test_a_change_is_returned_within_the_window() -> None:
    polls = Polls(working(0.01), working(0.01), DONE)

    assert polls.poll(window_seconds=5) == DONE
    assert polls.clock.sleeps == [0.01, 0.01]


@pytest.mark.parametrize("status", ["requires_action", "completed", "failed", "expired"])
def test_a_run_that_is_not_at_work_is_returned_at_once(status: str) -> None:
    snapshot = UpstreamSnapshot.model_validate({"status": status})
    polls = Polls(snapshot)

    assert polls.poll(window_seconds=5) == snapshot
    assert (polls.count, polls.clock.sleeps) == (1, [])


@pytest.mark.parametrize("status", ["queued", "in_progress", "cancelling"])
def test_a_run_at_work_is_polled_until_the_window_ends(status: str) -> None:
    polls = Polls(UpstreamSnapshot.model_validate({"status": status, "pause_seconds": 0.01}))
    snapshot = polls.poll(window_seconds=0.1)

    assert snapshot.status == status
    assert snapshot.pause_seconds == 0
    assert 0.08 < polls.clock.monotonic() <= 0.1


def test_polls_are_two_fifths_of_a_second_apart_for_the_first_forty_seconds() -> None:
    polls = Polls(WORKING)
    polls.poll(window_seconds=40)

    assert polls.clock.sleeps == pytest.approx([0.4] * 100)


@pytest.mark.parametrize(("waited", "pause"), [(20, 0.4), (60, 0.6), (600, 6), (1900, 19)])
def test_later_they_are_a_hundredth_of_the_time_waited_apart(waited: float, pause: float) -> None:
    polls = Polls(WORKING, DONE)

    assert polls.poll(window_seconds=60, waited_seconds=waited) == DONE
    assert polls.clock.sleeps == pytest.approx([pause])


def test_a_pause_that_costs_more_in_a_function_is_left_to_the_workflow() -> None:
    polls = Polls(WORKING)

    snapshot = polls.poll(window_seconds=60, limits=Limits(seconds=14_400), waited_seconds=3000)

    assert (snapshot.pause_seconds, polls.clock.sleeps) == (30, [])


@pytest.mark.parametrize(("window", "pause"), [("soonest", 30), ("2h", 150), ("8h", 150)])
def test_polls_of_discounted_thinking_are_further_apart(window: CompletionWindow, pause: float) -> None:
    """A poll of its own costs four transitions. Every hundredth of eight hours would cost a thousand."""
    polls = Polls(WORKING)

    snapshot = polls.poll(60, Limits(seconds=14_400), waited_seconds=3000, completion_window=window)

    assert (snapshot.pause_seconds, polls.clock.sleeps) == (pause, [])


@pytest.mark.parametrize(("waited", "window"), [(0, 2), (19, 2), (100, 10), (5000, 60)])
def test_a_short_window_grows_with_the_time_waited(waited: float, window: float) -> None:
    """So that the history of the longest execution stays within its limit."""
    polls = Polls(working(1))
    polls.poll(window_seconds=2, limits=Limits(seconds=14_400), waited_seconds=waited)

    assert polls.clock.monotonic() == window


def test_the_pause_that_the_server_asks_for_replaces_the_interval() -> None:
    polls = Polls(working(3), WORKING, working(0.1), DONE)
    polls.poll(window_seconds=50)

    assert polls.clock.sleeps == [3, 0.4, 0.1]


def test_a_poll_that_falls_on_the_end_of_the_window_is_made() -> None:
    polls = Polls(working(5), DONE)

    assert polls.poll(window_seconds=5) == DONE


def test_the_time_that_polls_take_counts_in_the_window() -> None:
    polls = Polls(working(1))
    for _ in range(3):
        polls.run_api.during_next("poll", lambda: polls.clock.advance(2))
    polls.poll(window_seconds=7)

    assert polls.count == 3
    assert polls.clock.monotonic() == 8


def test_without_a_window_a_run_is_polled_once_and_the_workflow_waits() -> None:
    polls = Polls(UpstreamSnapshot(status="queued"), DONE)
    snapshot = polls.poll(window_seconds=0)

    assert snapshot.status == "queued"
    assert snapshot.pause_seconds == 2
    assert (polls.count, polls.clock.sleeps) == (1, [])


def test_without_a_window_the_workflow_waits_as_long_as_the_server_asks() -> None:
    assert Polls(working(0.3)).poll(window_seconds=0).pause_seconds == 0.3


def test_the_workflow_waits_if_the_next_poll_falls_outside_of_the_window() -> None:
    polls = Polls(UpstreamSnapshot(status="queued", pause_seconds=30))
    snapshot = polls.poll(window_seconds=1)

    assert (snapshot.status, snapshot.pause_seconds) == ("queued", 30)
    assert (polls.count, polls.clock.sleeps) == (1, [])


@pytest.mark.parametrize(("pause_seconds", "returned"), [(1.99, 0), (2, 0), (2.01, 2.01)])
def test_a_pause_of_up_to_two_seconds_is_not_worth_a_wait(pause_seconds: float, returned: float) -> None:
    assert Polls(working(pause_seconds)).poll(window_seconds=1).pause_seconds == returned


def test_retry_after_within_the_window_is_waited_for() -> None:
    polls = Polls(DONE)
    polls.run_api.fail_next("poll", TransientError("429", retry_after=0.01))

    assert polls.poll(window_seconds=5) == DONE
    assert polls.clock.sleeps == [0.01]


def test_retry_after_beyond_the_window_becomes_the_pause_of_the_workflow() -> None:
    polls = Polls(DONE)
    polls.run_api.fail_next("poll", TransientError("429", retry_after=20))
    snapshot = polls.poll(window_seconds=1)

    assert (snapshot.status, snapshot.pause_seconds) == ("in_progress", 20)
    assert polls.clock.sleeps == []


def test_retry_after_zero_is_a_usual_interval() -> None:
    polls = Polls(DONE)
    polls.run_api.fail_next("poll", TransientError("429", retry_after=0))

    assert polls.poll(window_seconds=5) == DONE
    assert polls.clock.sleeps == [0.4]


def test_after_an_error_without_retry_after_the_run_is_polled_again() -> None:
    polls = Polls(DONE)
    polls.run_api.fail_next("poll", TransientError("503"))

    assert polls.poll(window_seconds=5) == DONE
    assert [0.5 <= pause <= 1 for pause in polls.clock.sleeps] == [True]


def test_without_a_window_the_workflow_waits_after_an_error_and_keeps_count() -> None:
    polls = Polls(DONE)
    polls.run_api.fail_next("poll", TransientError("503", detail="503: Try later."))

    snapshot = polls.poll(window_seconds=0)

    assert snapshot.status == "in_progress"
    assert 0.5 <= snapshot.pause_seconds <= 1
    assert snapshot.errors == UpstreamErrors(count=1, last="503: Try later.")
    assert polls.clock.sleeps == []
    assert polls.poll(0, counters=Counters(errors=snapshot.errors)).errors == NO_ERRORS


@pytest.mark.parametrize("window_seconds", [0, 50, 200])
def test_seven_errors_in_a_row_stop_the_run_with_the_servers_message(window_seconds: float) -> None:
    """Over about a minute, in one window or in several. A server that comes back earlier loses no run."""
    polls = Polls(DONE)
    for number in range(1, MAX_ERRORS + 1):
        polls.run_api.fail_next("poll", TransientError("503", detail=f"503: Try {number}."))

    counters = Counters()
    snapshot = polls.poll(window_seconds)
    while snapshot.failure is None:
        assert snapshot.status == "in_progress"
        polls.clock.sleep(snapshot.pause_seconds)
        counters = Counters(seconds=polls.clock.monotonic(), errors=snapshot.errors)
        snapshot = polls.poll(window_seconds, counters=counters)

    message = "7 requests to the server failed in a row. The last error: 503: Try 7."
    assert snapshot == UpstreamSnapshot.stopped(Failure(code="upstream_error", message=message))
    assert snapshot.still_running
    assert 30 <= polls.clock.monotonic() <= 70


@pytest.mark.parametrize("window_seconds", [0, 50])
def test_six_errors_in_a_row_are_forgotten_with_the_first_answer(window_seconds: float) -> None:
    polls = Polls(WORKING, DONE)
    polls.run_api.fail_next("poll", TransientError("503"))
    six = Counters(errors=UpstreamErrors(count=MAX_ERRORS - 2, last="503"))

    snapshot = polls.poll(window_seconds, counters=six)
    assert snapshot.errors.count == MAX_ERRORS - 1
    snapshot = polls.poll(window_seconds, counters=Counters(errors=snapshot.errors))
    if window_seconds == 0:
        assert (snapshot.status, snapshot.errors) == ("in_progress", NO_ERRORS)
        polls.run_api.fail_next("poll", TransientError("503"))
        snapshot = polls.poll(window_seconds, counters=Counters(errors=snapshot.errors))
        assert snapshot.errors.count == 1
    else:
        assert snapshot == DONE


def test_an_error_with_a_longer_pause_than_usual_ends_the_window() -> None:
    """The history of the execution then shows the error within seconds."""
    polls = Polls(DONE)
    for _ in range(4):
        polls.run_api.fail_next("poll", TransientError("503"))

    snapshot = polls.poll(50)

    assert snapshot.errors.last == "503"
    assert snapshot.pause_seconds > 2
    assert sum(polls.clock.sleeps) <= 5


def test_errors_with_retry_after_are_not_counted() -> None:
    polls = Polls(DONE)
    for _ in range(50):
        polls.run_api.fail_next("poll", TransientError("429", retry_after=1))

    assert polls.poll(window_seconds=100) == DONE
    assert polls.clock.sleeps == [1] * 50


@pytest.mark.parametrize("window_seconds", [0, 50, 200])
@pytest.mark.parametrize("limit_seconds", [1, 30, 150, 300])
def test_a_server_that_never_answers_does_not_keep_a_run_beyond_its_time_limit(
    window_seconds: float, limit_seconds: int
) -> None:
    polls = Polls(DONE)
    for _ in range(MAX_ERRORS):
        polls.run_api.hang_next("poll", polls.clock)
    limits = Limits(seconds=limit_seconds)

    counters = Counters()
    while (snapshot := polls.poll(window_seconds, limits, counters)).failure is None:
        polls.clock.sleep(snapshot.pause_seconds)
        counters = Counters(seconds=polls.clock.monotonic(), errors=snapshot.errors)

    assert limit_seconds <= polls.clock.monotonic() <= limit_seconds + 2 * MIN_REQUEST_SECONDS
    assert snapshot.failure == Failure(
        code="limit_seconds",
        message=f"The run was not done after {limit_seconds} seconds. "
        "The last error of the server: no answer (ReadTimeout)",
    )
    assert snapshot.still_running


def test_the_message_of_the_time_limit_is_about_the_newest_requests_only() -> None:
    """An error that was followed by an answer is no reason for a run to end."""
    polls = Polls(WORKING)
    polls.run_api.fail_next("poll", TransientError("503"))

    snapshot = polls.poll(50, Limits(seconds=10))

    assert snapshot.failure is not None
    assert snapshot.failure.message == "The run was not done after 10 seconds."


def test_a_pause_that_the_workflow_makes_does_not_outlast_the_time_limit() -> None:
    polls = Polls(DONE)
    polls.run_api.fail_next("poll", TransientError("429", retry_after=3600))

    assert polls.poll(0, Limits(seconds=60), Counters(seconds=50)).pause_seconds == pytest.approx(10)


def test_a_rejected_request_stops_the_run() -> None:
    polls = Polls(DONE)
    polls.run_api.fail_next("poll", RequestRejected("404: gone"))
    failure = Failure(code="RequestRejected", message="404: gone")

    assert polls.poll(window_seconds=5) == UpstreamSnapshot(
        status="failed", failure=failure, still_running=True
    )


@pytest.fixture
def lags(monkeypatch: pytest.MonkeyPatch) -> Sequence[float]:
    """The poll lags that were recorded, in seconds."""
    recorded: list[float] = []
    monkeypatch.setattr(metrics, "record_poll_lag", recorded.append)
    return recorded


def test_the_lag_of_a_change_is_counted_from_the_last_poll_that_saw_the_run_at_work(
    lags: Sequence[float],
) -> None:
    polls = Polls(working(1), working(0.05), DONE)
    for seconds in (0, 0.25, 0.5):
        polls.run_api.during_next("poll", partial(polls.clock.advance, seconds))
    polls.poll(window_seconds=5)

    assert lags == pytest.approx([0.25 + 0.05 + 0.5])


def test_a_change_that_the_first_poll_sees_has_no_known_lag(lags: Sequence[float]) -> None:
    Polls(DONE).poll(window_seconds=5)

    assert lags == []


@pytest.mark.parametrize(
    ("code", "limits", "counters", "snapshot"),
    [
        ("limit_rounds", {"rounds": 3}, {"rounds": 3}, WAITING),
        (
            "limit_calls_per_round",
            {"calls_per_round": 1},
            {},
            UpstreamSnapshot.requires_action((CALL, CALL), USAGE),
        ),
        (
            "limit_call_bytes",
            {},
            {},
            UpstreamSnapshot.requires_action(
                (ToolCall(call_id="c1", name="fetch", arguments="x" * max_calls_bytes(1)),), USAGE
            ),
        ),
        ("limit_calls", {}, {"tool_calls": MAX_CALLS}, WAITING),
        ("limit_tokens", {"tokens": 10}, {"tokens": 10 - USAGE.total_tokens}, WAITING),
        ("limit_seconds", {"seconds": 9}, {"seconds": 9}, WAITING),
    ],
)
def test_tool_calls_beyond_a_limit_stop_the_run(
    code: str, limits: dict[str, Any], counters: dict[str, Any], snapshot: UpstreamSnapshot
) -> None:
    polls = Polls(snapshot)
    stopped = polls.poll(5, Limits.model_validate(limits), Counters.model_validate(counters))

    assert stopped.failure is not None
    assert (stopped.status, stopped.failure.code) == ("failed", code)
    assert stopped.still_running
    assert stopped.usage == USAGE
    assert stopped.tool_calls == ()


def test_tool_calls_within_the_limits_are_returned() -> None:
    limits = Limits(rounds=1, calls_per_round=1, tokens=USAGE.total_tokens + 1)

    assert Polls(WAITING).poll(5, limits) == WAITING


@pytest.mark.parametrize("snapshot", [DONE, UpstreamSnapshot.failed(FAILURE, USAGE)])
def test_a_run_that_has_ended_upstream_is_not_stopped_by_a_limit(snapshot: UpstreamSnapshot) -> None:
    counters = Counters(seconds=10**6, rounds=99, tool_calls=MAX_CALLS, tokens=10**9)

    assert Polls(snapshot).poll(5, Limits(), counters) == snapshot


@pytest.mark.parametrize(
    ("pause_seconds", "sleeps"),
    [(2, [2, 0.75]), (2.75, [2.75]), (30, [2.75]), (0, [0.4] * 6 + [0.35])],
)
def test_a_time_limit_inside_the_window_is_met_exactly(pause_seconds: float, sleeps: list[float]) -> None:
    polls = Polls(working(pause_seconds))
    snapshot = polls.poll(50, Limits(seconds=10), Counters(seconds=7.25))

    assert snapshot.failure is not None
    assert (snapshot.status, snapshot.failure.code) == ("failed", "limit_seconds")
    assert snapshot.still_running
    assert polls.clock.sleeps == pytest.approx(sleeps)
    assert polls.clock.monotonic() == pytest.approx(2.75)
    assert polls.count == len(sleeps) + 1


def test_a_change_at_the_time_limit_is_noticed() -> None:
    polls = Polls(working(30), DONE)

    assert polls.poll(50, Limits(seconds=10), Counters(seconds=7.25)) == DONE


def test_a_run_beyond_its_time_limit_is_polled_once_more_and_stopped() -> None:
    polls = Polls(working(1))
    snapshot = polls.poll(50, Limits(seconds=10), Counters(seconds=11))

    assert snapshot.failure is not None
    assert snapshot.failure.code == "limit_seconds"
    assert (polls.count, polls.clock.sleeps) == (1, [])


def test_a_run_whose_time_runs_out_while_it_is_polled_is_stopped() -> None:
    polls = Polls(WAITING)
    polls.run_api.during_next("poll", lambda: polls.clock.advance(3))
    snapshot = polls.poll(50, Limits(seconds=10), Counters(seconds=7.25))

    assert snapshot.failure is not None
    assert snapshot.failure.code == "limit_seconds"


def test_a_run_whose_server_is_throttled_is_stopped_at_its_time_limit() -> None:
    polls = Polls(DONE)
    for _ in range(2):
        polls.run_api.fail_next("poll", TransientError("429", retry_after=20))
    snapshot = polls.poll(50, Limits(seconds=10), Counters())
    assert (snapshot.failure, snapshot.pause_seconds) == (None, 10)
    snapshot = polls.poll(50, Limits(seconds=10), Counters(seconds=10, errors=snapshot.errors))

    assert snapshot.failure is not None
    assert snapshot.failure.code == "limit_seconds"
    assert polls.clock.sleeps == []


seconds = st.floats(0, 100)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(window=seconds, limit=st.integers(1, 100), used=seconds, pause=st.floats(0.2, 40))
def test_no_poll_is_made_at_once_or_after_the_end_of_the_window(
    window: float, limit: int, used: float, pause: float
) -> None:
    polls = Polls(working(pause))
    snapshot = polls.poll(window, Limits(seconds=limit), Counters(seconds=used))

    seconds_left = max(limit - used, 0)
    assert polls.clock.monotonic() <= min(window, seconds_left) + 1e-9
    assert all(each == pause for each in polls.clock.sleeps[:-2])
    assert polls.count <= min(window, seconds_left) / pause + 3
    if snapshot.failure is None:
        assert used + polls.clock.monotonic() < limit


PASSING = UpstreamSnapshot.failed(Failure(code="server_error", message="Sorry."), USAGE, repeat=True)


def test_a_turn_that_failed_for_a_reason_that_passes_is_to_be_requested_again_after_a_pause() -> None:
    snapshot = Polls(WORKING, PASSING).poll(50)

    assert snapshot.repeat
    assert 0.5 <= snapshot.pause_seconds <= 1
    assert (snapshot.usage, snapshot.errors) == (USAGE, UpstreamErrors(last="Sorry.", failed_turns=1))


def test_turns_that_failed_are_counted_while_the_next_one_works() -> None:
    errors = UpstreamErrors(last="Sorry.", failed_turns=2)
    counters = Counters(errors=errors)

    assert Polls(WORKING).poll(1, counters=counters).errors == errors
    assert Polls(PASSING).poll(1, counters=counters).errors.failed_turns == 3


@pytest.mark.parametrize("snapshot", [WAITING, DONE])
def test_a_turn_that_succeeds_ends_a_row_of_turns_that_failed(snapshot: UpstreamSnapshot) -> None:
    counters = Counters(errors=UpstreamErrors(last="Sorry.", failed_turns=2))

    assert Polls(snapshot).poll(1, counters=counters).errors == NO_ERRORS


def test_the_last_of_seven_turns_that_failed_in_a_row_is_the_runs_failure() -> None:
    snapshot = Polls(PASSING).poll(1)
    for number in range(2, MAX_ERRORS + 1):
        assert snapshot.repeat, number
        snapshot = Polls(PASSING).poll(1, counters=Counters(errors=snapshot.errors))

    assert not snapshot.repeat
    assert (snapshot.status, snapshot.still_running) == ("failed", False)
    assert snapshot.failure == Failure(
        code="server_error", message="The run failed 7 times upstream. The last error: Sorry."
    )


def test_a_turn_is_not_requested_again_if_the_time_limit_leaves_no_time_for_the_pause() -> None:
    snapshot = Polls(PASSING).poll(1, Limits(seconds=10), Counters(seconds=9.9))

    assert snapshot == PASSING.model_copy(update={"repeat": False})


@pytest.mark.parametrize(("rounds", "repeats"), [(0, True), (1, False)])
def test_a_turn_after_tool_calls_is_requested_again_only_where_it_can_be(rounds: int, repeats: bool) -> None:
    polls = Polls(PASSING)
    polls.run_api.repeats_after_tool_calls = False

    assert polls.poll(1, counters=Counters(rounds=rounds)).repeat == repeats
    assert Polls(PASSING).poll(1, counters=Counters(rounds=rounds)).repeat


def test_the_time_limit_tells_of_the_turn_that_failed() -> None:
    counters = Counters(seconds=9, errors=UpstreamErrors(last="Sorry.", failed_turns=1))
    snapshot = Polls(WORKING).poll(50, Limits(seconds=10), counters)

    assert snapshot.failure is not None
    assert snapshot.failure.message.endswith("The last error of the server: Sorry.")
