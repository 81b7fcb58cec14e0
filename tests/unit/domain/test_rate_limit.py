"""The rules of rate limits, and many runs at once against servers that have some."""

import pytest
from support.fakes.rate_limit_repository import InMemoryRateLimitRepository
from support.rate_limit_simulation import SimulatedServer, SimulationResult, simulate

from upcall.domain.rate_limit import (
    DECREASE,
    FORGOTTEN_AFTER_SECONDS,
    FREE_AFTER,
    GROWTH,
    INITIAL_BURST,
    MAX_CLOCK_SKEW_SECONDS,
    MAX_HELD_SECONDS,
    LimitHeaders,
    RateLimit,
    ServerLimits,
    Ticket,
)

NOW = 1_800_000_000.0
UNKNOWN = RateLimit.unknown(NOW)
NO_HEADERS = ServerLimits()


def requests(limit: int, remaining: int, reset_seconds: float | None = None) -> ServerLimits:
    """Headers that tell of a limit of requests."""
    return ServerLimits(requests=LimitHeaders(limit=limit, remaining=remaining, reset_seconds=reset_seconds))


def after(limit: RateLimit, seen: ServerLimits, seconds: float = 1, sent_before: float = 0.5) -> RateLimit:
    """What is known after a response so many seconds after the limit was written."""
    now = limit.written_at + seconds
    changed = limit.after(seen, None, now - sent_before, now)
    assert changed is not None
    return changed


def with_tickets(limit: RateLimit, tickets: int) -> RateLimit:
    return limit.model_copy(update={"tickets": tickets})


def ticket(number: int) -> Ticket:
    return Ticket(number=number, generation=UNKNOWN.generation)


def refused(retry_after: float | None = None, seen: ServerLimits = NO_HEADERS) -> ServerLimits:
    return seen.model_copy(update={"refused": True, "retry_after": retry_after})


def test_while_nothing_is_known_a_small_burst_goes_at_once() -> None:
    assert UNKNOWN.due(ticket(INITIAL_BURST)) <= NOW
    assert UNKNOWN.due(ticket(INITIAL_BURST + 1)) > NOW


def test_without_headers_each_success_lets_many_more_go_until_there_seems_to_be_no_limit() -> None:
    limit = with_tickets(UNKNOWN, 500)
    bases = []
    while limit.phase == "slow_start":
        limit = after(limit, NO_HEADERS, seconds=0.2)
        bases.append(limit.base_ticket)

    assert bases[0] == pytest.approx(GROWTH * (INITIAL_BURST + 1))
    assert bases[-1] >= FREE_AFTER
    assert len(bases) <= 4
    assert limit.phase == "free"


def test_headers_set_the_rate_at_once() -> None:
    limit = after(with_tickets(UNKNOWN, 1), requests(limit=60, remaining=59, reset_seconds=1))

    assert (limit.phase, limit.rate, limit.ceiling) == ("limited", 1, 1)
    assert limit.due(ticket(1 + 44)) <= limit.written_at  # 59 less the reserve of 15
    assert limit.due(ticket(1 + 54)) == pytest.approx(limit.written_at + 10)


def test_a_limit_per_day_is_told_by_the_time_until_it_is_whole_again() -> None:
    seen = requests(limit=200, remaining=190, reset_seconds=4320)

    assert after(UNKNOWN, seen).rate == pytest.approx(200 / 86_400)


def test_tokens_slow_down_before_the_server_refuses() -> None:
    tokens = LimitHeaders(limit=60_000, remaining=58_000, reset_seconds=2)
    seen = ServerLimits(requests=LimitHeaders(limit=10_000, remaining=9_999), tokens=tokens)
    limit = after(with_tickets(UNKNOWN, 1), seen)

    assert limit.tokens_per_request == 2000
    assert limit.rate == pytest.approx(60_000 / 60 / 2000)
    assert limit.due(ticket(1 + INITIAL_BURST)) <= limit.written_at  # one response says little of tokens
    assert limit.due(ticket(1 + INITIAL_BURST + 1)) > limit.written_at


def test_nobody_takes_a_ticket_while_the_server_has_ample_room() -> None:
    assert after(UNKNOWN, requests(limit=10_000, remaining=9_000)).phase == "free"
    assert after(UNKNOWN, requests(limit=10_000, remaining=4_000)).phase == "limited"
    assert after(UNKNOWN, requests(limit=900, remaining=900)).phase == "limited"


def test_a_refusal_holds_all_back_for_as_long_as_the_server_asks_for() -> None:
    limit = after(with_tickets(UNKNOWN, 5), refused(20))

    assert limit.due(ticket(1)) == limit.written_at + 20
    assert limit.due(ticket(100)) > limit.written_at + 20


def test_no_server_holds_all_back_for_longer_than_ten_minutes() -> None:
    limit = after(UNKNOWN, refused(3600))

    assert limit.held_until == limit.written_at + MAX_HELD_SECONDS


def test_a_refusal_lowers_the_rate_by_a_factor_once_for_all_requests_that_were_under_way() -> None:
    known = after(with_tickets(UNKNOWN, 1), requests(limit=600, remaining=500, reset_seconds=10))
    once = after(known, refused(2))
    at = once.written_at + 0.1

    assert once.rate == pytest.approx(known.rate * DECREASE)
    assert once.after(refused(2), None, requested_at=once.written_at - 0.1, now=at) is None
    again = once.after(refused(2), None, requested_at=once.written_at + 0.05, now=at)
    assert again is not None
    assert again.rate == pytest.approx(known.rate * DECREASE**2)


def test_after_a_refusal_the_rate_grows_step_by_step_to_what_the_headers_say() -> None:
    seen = requests(limit=600, remaining=500, reset_seconds=10)
    limit = after(after(with_tickets(UNKNOWN, 1), seen), refused(1))
    begin, rates = limit.written_at, []
    for second in range(60):
        limit = limit.after(seen, None, begin + second, begin + second + 1) or limit
        rates.append(limit.rate)

    assert rates == sorted(rates)
    assert rates[0] < 8.5
    assert rates[-1] == 10


def test_without_headers_the_rate_grows_on_beyond_that_of_the_refusal() -> None:
    limit = after(with_tickets(UNKNOWN, 100), refused(1))
    at_refusal = limit.refused_rate
    for _ in range(60):
        limit = after(limit, NO_HEADERS, seconds=5)

    assert limit.rate > at_refusal


def test_a_server_that_refuses_after_all_is_approached_slowly_again() -> None:
    free = with_tickets(UNKNOWN, 500).model_copy(update={"phase": "free"})
    limit = after(free, refused(3))

    assert limit.phase == "slow_start"
    assert limit.due(ticket(501)) == limit.written_at + 3
    assert limit.due(ticket(500 + INITIAL_BURST + 1)) > limit.written_at + 3


def test_a_time_without_runs_does_not_save_up_more_than_a_burst() -> None:
    limit = after(with_tickets(UNKNOWN, 1), requests(limit=60, remaining=59, reset_seconds=1))
    later = limit.written_at + 300
    first = limit.unused_before(later) + 1

    assert limit.due(ticket(first)) <= later
    assert limit.due(ticket(first + 43)) <= later
    assert limit.due(ticket(first + 60)) > later


@pytest.mark.parametrize(
    "seconds", [FORGOTTEN_AFTER_SECONDS + 1, -MAX_CLOCK_SKEW_SECONDS - 1], ids=["old", "of a wrong clock"]
)
def test_what_is_old_or_of_a_wrong_clock_is_forgotten(seconds: float) -> None:
    assert UNKNOWN.is_forgotten(NOW + seconds)
    assert not UNKNOWN.is_forgotten(NOW + 1)


def test_news_is_written_at_most_once_a_second_and_only_if_it_is_news() -> None:
    seen = requests(limit=60, remaining=59, reset_seconds=1)
    limit = after(with_tickets(UNKNOWN, 1), seen)

    assert limit.after(requests(limit=60, remaining=5), None, NOW, limit.written_at + 0.5) is None
    assert limit.after(seen, None, NOW, limit.written_at + 1.5) is None
    assert limit.after(requests(limit=60, remaining=5), None, NOW, limit.written_at + 1.5) is not None


def test_200_runs_at_60_requests_a_minute_are_hardly_refused() -> None:
    paced = simulate(SimulatedServer(60), runs=200)
    alone = simulate(SimulatedServer(60), runs=200, paced=False)

    assert paced.completed == 200
    assert paced.refused_share < 0.03
    assert alone.refused_share > 0.9
    assert paced.seconds < 1.1 * alone.seconds


@pytest.mark.parametrize("seed", range(5))
def test_1000_runs_at_500_requests_a_minute_are_hardly_refused(seed: int) -> None:
    result = simulate(SimulatedServer(500), runs=1000, seed=seed)

    assert result.completed == 1000
    assert result.refused_share < 0.03
    assert result.seconds < 1.2 * (2000 - 500) / 500 * 60


@pytest.mark.parametrize("seed", range(6))
def test_tokens_per_minute_are_kept_as_requests_are(seed: int) -> None:
    server = SimulatedServer(10_000, tokens_per_minute=60_000, tokens_per_request=1000)
    result = simulate(server, runs=200, seed=seed)

    assert result.completed == 200
    assert result.refused_share < 0.03
    assert result.seconds < 1.4 * (400 - 60)


def test_others_who_use_the_same_key_slow_all_down() -> None:
    result = simulate(SimulatedServer(60, used_by_others=0.5), runs=100)

    assert result.completed == 100
    assert result.refused_share < 0.03


def test_a_limit_that_begins_anew_each_minute_is_kept_for_the_most_part() -> None:
    result = simulate(SimulatedServer(60, fixed_windows=True), runs=200)
    alone = simulate(SimulatedServer(60, fixed_windows=True), runs=200, paced=False)

    assert result.completed == 200
    assert result.refused_share < 0.1 < alone.refused_share


def test_a_server_without_headers_is_refused_by_once_and_hardly_after_that() -> None:
    result = simulate(SimulatedServer(60, sends_headers=False), runs=200)

    assert result.completed == 200
    assert result.refused < 200


@pytest.mark.parametrize("runs", [200, 1000])
def test_a_server_without_limits_costs_a_second_in_the_first_burst_and_nothing_later(runs: int) -> None:
    repository = InMemoryRateLimitRepository()
    server = SimulatedServer(None)
    options = {"runs": runs, "turns": 1, "spread_seconds": 0.1, "answer_seconds": 0.3, "model_seconds": 0.0}
    alone = simulate(SimulatedServer(None), paced=False, **options)  # type: ignore[arg-type]
    first = simulate(server, repository=repository, **options)  # type: ignore[arg-type]
    writes = repository.writes
    second = simulate(server, repository=repository, **options)  # type: ignore[arg-type]

    assert first.seconds < alone.seconds + 1.5
    assert second.seconds < alone.seconds + 0.1
    assert repository.writes == writes
    assert second.waits == first.waits == 0


def test_functions_killed_between_ticket_and_request_lose_their_places_and_nothing_else() -> None:
    result = simulate(SimulatedServer(60), runs=60, on_request=lambda number: number % 5 != 0)

    assert result.completed == 60
    assert result.sent == 120
    assert result.refused_share < 0.03


def test_functions_killed_at_all_first_requests_do_not_stop_the_others_for_good() -> None:
    result: SimulationResult = simulate(
        SimulatedServer(60), runs=30, on_request=lambda number: number > INITIAL_BURST
    )

    assert result.completed == 30
    assert result.seconds < 60
