"""What enforces quotas in the simulation of many runs, and the kernel of its check, against closed forms."""

import random

import pytest

from bench.scale.check import predict
from bench.scale.limits import Lambda, TokenBucket
from bench.scale.quotas import DEFAULTS


def test_a_full_bucket_lasts_its_size_over_what_is_asked_for_beyond_the_rate() -> None:
    bucket, asked = TokenBucket(rate=300, size=1300), 1000

    refused = next(n for n in range(10_000) if not bucket.take(1, n / asked))

    assert refused / asked == pytest.approx(1300 / (asked - 300), rel=0.01)


def test_a_bucket_that_is_asked_for_too_much_gives_its_rate() -> None:
    bucket = TokenBucket(rate=10, size=1)

    given = sum(bucket.take(1, n / 1000) for n in range(100_000))

    assert given == pytest.approx(100 * 10, rel=0.02)


def test_a_bucket_never_holds_more_than_its_size() -> None:
    bucket = TokenBucket(rate=10, size=5)

    assert bucket.take(5, 1000)
    assert not bucket.take(1, 1000)


def test_reservations_wait_as_a_queue_with_one_server_of_fixed_service_time_does() -> None:
    """M/D/1: the mean wait is rho * service / (2 * (1 - rho))."""
    bucket, generator = TokenBucket(rate=1, size=1), random.Random(7)
    now, waits = 0.0, []
    for _ in range(200_000):
        now += generator.expovariate(0.7)
        waits.append(bucket.reserve(1, now))

    assert sum(waits) / len(waits) == pytest.approx(0.7 / (2 * 0.3), rel=0.05)


def test_what_was_given_back_can_be_taken_again() -> None:
    bucket = TokenBucket(rate=1, size=2)
    bucket.take(2, 0)

    bucket.give_back(1)

    assert bucket.take(1, 0)
    assert not bucket.take(1, 0)


def test_a_peak_is_the_mean_of_the_busiest_minute() -> None:
    bucket = TokenBucket(rate=1, size=1)

    for minute, amount in ((0, 60), (1, 120), (2, 30)):
        bucket.reserve(amount, 60 * minute)

    assert bucket.peak.per_second == 2


def test_functions_share_the_concurrency_of_the_account() -> None:
    functions = Lambda(DEFAULTS)

    assert functions.start("one", 600, 0) is None
    assert functions.start("two", 401, 0) == "lambda_concurrency"
    functions.end("one", 1)
    assert functions.start("two", 401, 0) is None


def test_a_function_gets_a_thousand_new_environments_at_once_and_a_hundred_a_second() -> None:
    functions = Lambda({**DEFAULTS, "lambda_concurrency": DEFAULTS["open_executions"]})
    functions.start("one", 1000, 0)

    assert functions.start("one", 1, 0) == "lambda_scaling"
    assert functions.start("another", 1000, 0) is None
    assert functions.start("one", 100, 1) is None


@pytest.mark.parametrize(("runs", "concurrency"), [(40, 1), (200, 10)])
def test_runs_that_share_a_server_take_its_time_in_turns(runs: int, concurrency: int) -> None:
    """Little's law: as many are open as latency times throughput."""
    found = predict(runs, concurrency, service=0.5)

    assert found.runs_per_second == pytest.approx(2)
    assert found.latency * found.runs_per_second == pytest.approx(concurrency, rel=0.1)


@pytest.mark.parametrize(
    ("concurrency", "rate"), [(1, 1 / 2.5), (2, 2 / 2.5), (40, 2)], ids=["alone", "two", "the server is full"]
)
def test_runs_that_also_wait_fill_the_server_only_if_there_are_enough_of_them(
    concurrency: int, rate: float
) -> None:
    """With two at once, one waits while the other is served."""
    found = predict(400, concurrency, service=0.5, delay=2)

    assert found.runs_per_second == pytest.approx(rate, rel=0.05)


def test_a_run_alone_takes_its_service_and_its_delay() -> None:
    assert predict(5, 1, service=0.5, delay=2).latency == pytest.approx(2.5)
