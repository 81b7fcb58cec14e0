from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fakes.clock import FakeClock
from support.fakes.run_api import FakeRunApi
from support.run_records import CALL, FAILURE, UPSTREAM_RUN, USAGE

from upcall.domain.errors import RequestRejected, TransientError
from upcall.domain.failure import Failure
from upcall.domain.limits import MAX_CALLS, Counters, Limits
from upcall.domain.state_budget import max_calls_bytes
from upcall.domain.tool_calls import ToolCall
from upcall.domain.upstream_run import UpstreamSnapshot
from upcall.observability import metrics
from upcall.use_cases.poll_run import poll_run

WORKING = UpstreamSnapshot(status="in_progress")
DONE = UpstreamSnapshot(status="completed", usage=USAGE)
WAITING = UpstreamSnapshot.requires_action((CALL,), USAGE)


class Polls:
    """Polls a run on a fake server, with a fake clock."""

    def __init__(self, *snapshots: UpstreamSnapshot) -> None:
        self.clock = FakeClock()
        self.run_api = FakeRunApi()
        self.run_api.snapshots = list(snapshots or [WORKING])

    def poll(
        self, window_seconds: float, limits: Limits | None = None, counters: Counters | None = None
    ) -> UpstreamSnapshot:
        """Poll for one window."""
        return poll_run(
            UPSTREAM_RUN,
            limits or Limits(),
            counters or Counters(),
            window_seconds,
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


def test_the_interval_grows_by_a_quarter_from_half_a_second_to_two_seconds() -> None:
    polls = Polls(WORKING)
    polls.poll(window_seconds=15)

    expected = [0.5, 0.625, 0.781, 0.977, 1.221, 1.526, 1.907, 2, 2, 2]
    assert polls.clock.sleeps == pytest.approx(expected, abs=0.001)
    assert polls.count == 11


def test_the_pause_that_the_server_asks_for_replaces_the_interval() -> None:
    polls = Polls(working(3), WORKING, working(0.1), DONE)
    polls.poll(window_seconds=50)

    assert polls.clock.sleeps == [3, 0.625, 0.1]


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
    assert polls.clock.sleeps == [0.5]


@pytest.mark.parametrize("window_seconds", [0, 5])
def test_a_transient_error_without_retry_after_is_left_to_the_workflow(window_seconds: float) -> None:
    polls = Polls(DONE)
    polls.run_api.fail_next("poll", TransientError("503"))

    with pytest.raises(TransientError, match="503"):
        polls.poll(window_seconds)


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
    [(2, [2, 0.75]), (2.75, [2.75]), (30, [2.75]), (0, [0.5, 0.625, 0.78125, 0.84375])],
)
def test_a_time_limit_inside_the_window_is_met_exactly(pause_seconds: float, sleeps: list[float]) -> None:
    polls = Polls(working(pause_seconds))
    snapshot = polls.poll(50, Limits(seconds=10), Counters(seconds=7.25))

    assert snapshot.failure is not None
    assert (snapshot.status, snapshot.failure.code) == ("failed", "limit_seconds")
    assert snapshot.still_running
    assert polls.clock.sleeps == sleeps
    assert polls.clock.monotonic() == 2.75
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

    assert snapshot.failure is not None
    assert snapshot.failure.code == "limit_seconds"
    assert polls.clock.sleeps == [10]


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
