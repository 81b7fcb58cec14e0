"""Turns wait for the rate limit of the server: in the function for a moment, in the workflow for longer."""

from collections.abc import Callable

import pytest
from support.fakes.clock import FakeClock
from support.fakes.rate_limit_repository import InMemoryRateLimitRepository

from upcall.domain.errors import TransientError
from upcall.domain.limits import Limits
from upcall.domain.rate_limit import (
    FORGOTTEN_AFTER_SECONDS,
    INITIAL_BURST,
    LimitHeaders,
    RateLimit,
    ServerLimits,
)
from upcall.domain.upstream_errors import NO_ERRORS, UpstreamErrors
from upcall.domain.upstream_run import UpstreamRun
from upcall.run_apis.base import record_server_limits
from upcall.use_cases.turn_pacing import MAX_SLEEP_SECONDS, TurnPacing
from upcall.use_cases.upstream_request import UpstreamResult, send_upstream_request

CREATED = UpstreamRun(run_api="responses", ids={"response_id": "resp_1"})
LIMITED = LimitHeaders(limit=60, remaining=15, reset_seconds=45)

Send = Callable[..., UpstreamResult]


@pytest.fixture
def pace(rate_limits: InMemoryRateLimitRepository, clock: FakeClock) -> Callable[..., TurnPacing]:
    return lambda ticket=None: TurnPacing(rate_limits, "m", clock, ticket)


@pytest.fixture
def learn(
    rate_limits: InMemoryRateLimitRepository, clock: FakeClock, pace: Callable[..., TurnPacing]
) -> Callable[[ServerLimits], RateLimit]:
    """Request a turn, whose response says this."""

    def call(seen: ServerLimits) -> RateLimit:
        pacing = pace()
        pacing.wait_for_turn()
        clock.advance(1)
        pacing.observe(seen, pacing.now)
        return rate_limits.limits["m"]

    return call


def test_the_first_turns_go_at_once(pace: Callable[..., TurnPacing], clock: FakeClock) -> None:
    assert [pace().wait_for_turn() for _ in range(INITIAL_BURST)] == [0] * INITIAL_BURST
    assert clock.sleeps == []


def test_a_turn_without_a_limit_takes_one_read_and_no_write(
    pace: Callable[..., TurnPacing],
    learn: Callable[[ServerLimits], RateLimit],
    rate_limits: InMemoryRateLimitRepository,
) -> None:
    learn(ServerLimits(requests=LimitHeaders(limit=10_000, remaining=9999)))
    rate_limits.reads = rate_limits.writes = 0

    assert pace().wait_for_turn() == 0
    assert (rate_limits.reads, rate_limits.writes) == (1, 0)


def test_a_turn_with_a_limit_takes_one_write(
    pace: Callable[..., TurnPacing],
    learn: Callable[[ServerLimits], RateLimit],
    rate_limits: InMemoryRateLimitRepository,
) -> None:
    learn(ServerLimits(requests=LimitHeaders(limit=60, remaining=59, reset_seconds=1)))
    rate_limits.reads = rate_limits.writes = 0

    assert pace().wait_for_turn() == 0
    assert (rate_limits.reads, rate_limits.writes) == (1, 1)


def test_a_short_wait_is_slept_and_a_long_one_is_left_to_the_workflow(
    pace: Callable[..., TurnPacing],
    learn: Callable[[ServerLimits], RateLimit],
    rate_limits: InMemoryRateLimitRepository,
    clock: FakeClock,
) -> None:
    limit = learn(ServerLimits(requests=LIMITED))

    assert pace().wait_for_turn() == 0
    assert clock.sleeps == [pytest.approx(1)]
    for _ in range(20):
        rate_limits.take_ticket("m", limit, 0)
    assert pace().wait_for_turn() in (20, 21)  # whole seconds, as the workflow waits
    assert len(clock.sleeps) == 1
    assert max(clock.sleeps) <= MAX_SLEEP_SECONDS


def test_the_ticket_is_kept_through_the_wait(
    pace: Callable[..., TurnPacing],
    learn: Callable[[ServerLimits], RateLimit],
    rate_limits: InMemoryRateLimitRepository,
    clock: FakeClock,
) -> None:
    limit = learn(ServerLimits(requests=LIMITED, refused=True, retry_after=30))
    waiting = pace()
    pause = waiting.wait_for_turn()
    tickets = rate_limits.limits["m"].tickets

    assert pause >= limit.held_until - limit.written_at - 1
    clock.advance(pause)
    assert pace(waiting.ticket).wait_for_turn() == 0
    assert rate_limits.limits["m"].tickets == tickets


def test_a_ticket_of_a_forgotten_limit_is_replaced(
    pace: Callable[..., TurnPacing], learn: Callable[[ServerLimits], RateLimit], clock: FakeClock
) -> None:
    learn(ServerLimits(requests=LIMITED))
    before = pace()
    before.wait_for_turn()
    clock.advance(FORGOTTEN_AFTER_SECONDS + 1)

    after = pace(before.ticket)
    assert after.wait_for_turn() == 0
    assert after.ticket
    assert before.ticket
    assert after.ticket.generation > before.ticket.generation


def test_one_refusal_holds_the_others_back(
    pace: Callable[..., TurnPacing], learn: Callable[[ServerLimits], RateLimit]
) -> None:
    learn(ServerLimits(refused=True, retry_after=30))

    assert min(pace().wait_for_turn() for _ in range(5)) >= 28


def test_a_table_that_cannot_be_used_holds_nobody_back(
    pace: Callable[..., TurnPacing], rate_limits: InMemoryRateLimitRepository
) -> None:
    rate_limits.available = False
    pacing = pace()

    assert pacing.wait_for_turn() == 0
    pacing.observe(ServerLimits(refused=True), pacing.now)
    assert pacing.queue_again() == 0


def test_a_refusal_is_written_though_others_write_at_the_same_time(
    pace: Callable[..., TurnPacing], rate_limits: InMemoryRateLimitRepository
) -> None:
    slow, fast = pace(), pace()
    take = [slow.wait_for_turn(), fast.wait_for_turn()]
    known = rate_limits.limits["m"]
    rate_limits.update("m", known.model_copy(update={"version": 2, "rate": 4.0}), 1)
    slow.observe(ServerLimits(refused=True, retry_after=30), slow.now)

    assert take == [0, 0]
    assert rate_limits.limits["m"].held_until > slow.now


@pytest.fixture
def send(clock: FakeClock, pace: Callable[..., TurnPacing]) -> Send:
    def call(
        seen: ServerLimits, seconds: float = 0, errors: UpstreamErrors = NO_ERRORS, seconds_limit: int = 900
    ) -> UpstreamResult:
        def request() -> UpstreamRun:
            clock.advance(1)
            record_server_limits(seen)
            if seen.refused:
                raise TransientError("429", seen.retry_after)
            return CREATED

        return send_upstream_request(request, Limits(seconds=seconds_limit), seconds, errors, clock, pace())

    return call


def test_a_request_that_is_refused_queues_again_behind_the_others(send: Send) -> None:
    send(ServerLimits(requests=LIMITED))
    refused = send(ServerLimits(refused=True, retry_after=10))

    assert refused.pause_seconds >= 10
    assert refused.ticket is not None


def test_held_waits_use_up_no_tries(send: Send) -> None:
    send(ServerLimits(refused=True, retry_after=60))
    errors = UpstreamErrors(count=3, last="429")
    for _ in range(20):
        waiting = send(ServerLimits(requests=LIMITED), errors=errors)
        assert (waiting.errors, waiting.failure) == (errors, None)
        assert waiting.upstream_run is None


def test_a_wait_ends_with_the_time_limit_of_the_run(send: Send) -> None:
    send(ServerLimits(refused=True, retry_after=500))

    assert send(ServerLimits(), seconds=50, seconds_limit=60).pause_seconds == pytest.approx(10)
    over = send(ServerLimits(), seconds=60, seconds_limit=60)
    assert over.failure is not None
    assert over.failure.code == "limit_seconds"
    assert "rate limit" in over.failure.message
