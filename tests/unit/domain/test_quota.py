from datetime import UTC, datetime, timedelta, timezone

import pytest

from upcall.domain.errors import QuotaExceeded
from upcall.domain.quota import (
    NO_QUOTA,
    CallerUsage,
    Quota,
    QuotaSetting,
    Settled,
    check_quota,
    day_of,
    end_of_day,
)

NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


def test_a_setting_replaces_what_it_names_and_leaves_the_rest() -> None:
    default = Quota(runs=5, tokens=100)

    assert QuotaSetting().applied_to(default) == default
    assert QuotaSetting(runs=7, usd=0.5).applied_to(default) == Quota(runs=7, tokens=100, usd=0.5)


def test_zero_is_no_quota() -> None:
    assert QuotaSetting(runs=0, tokens=0, usd=0, concurrent=0).applied_to(Quota(runs=1)) == NO_QUOTA
    assert NO_QUOTA.limits == {}


@pytest.mark.parametrize(
    ("quota", "used", "message"),
    [
        (Quota(runs=2), CallerUsage(runs=2), "has used 2 of 2 runs of the day"),
        (Quota(tokens=10), CallerUsage(tokens=1234), "has used 1,234 of 10 tokens of the day"),
        (Quota(usd=1.5), CallerUsage(usd=1_500_000), r"has used 1.50 of 1.50 dollars of the day"),
        (Quota(concurrent=3), CallerUsage(concurrent=3), "3 runs of this caller are open; 3 are allowed"),
    ],
)
def test_a_quota_that_is_used_up_is_named_with_its_figures(
    quota: Quota, used: CallerUsage, message: str
) -> None:
    with pytest.raises(QuotaExceeded, match=message):
        check_quota(quota, used, NOON)


def test_a_quota_with_room_left_allows_a_run() -> None:
    quota = Quota(runs=2, tokens=10, usd=0.5, concurrent=1)

    check_quota(quota, CallerUsage(runs=1, tokens=9, usd=499_999), NOON)
    check_quota(NO_QUOTA, CallerUsage(runs=10**6, tokens=10**9, concurrent=10**6), NOON)


def test_days_are_those_of_utc() -> None:
    evening_in_new_york = datetime(2026, 11, 26, 20, 0, tzinfo=timezone(timedelta(hours=-5)))

    assert day_of(evening_in_new_york) == "2026-11-27"
    assert end_of_day(evening_in_new_york) == datetime(2026, 11, 28, tzinfo=UTC)


def test_a_whole_number_of_seconds_is_left_until_the_day_has_ended() -> None:
    almost_midnight = datetime(2026, 11, 26, 23, 59, 59, 900_000, tzinfo=UTC)
    with pytest.raises(QuotaExceeded) as raised:
        check_quota(Quota(runs=1), CallerUsage(runs=1), almost_midnight)

    assert raised.value.retry_after == 1


def test_an_attempt_has_used_what_the_run_has_without_its_earlier_attempts() -> None:
    second = Settled(attempt=2, tokens=30, usd=5)

    assert second.since(Settled(attempt=1, tokens=10, usd=5)) == Settled(attempt=2, tokens=20)
    assert second.since(None) == second
