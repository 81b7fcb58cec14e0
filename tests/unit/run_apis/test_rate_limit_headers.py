"""Rate limits in the headers of responses, honest and hostile ones."""

import pytest

from upcall.domain.rate_limit import LimitHeaders
from upcall.run_apis.rate_limit_headers import (
    MAX_LIMIT,
    MAX_RESET_SECONDS,
    parse_duration,
    parse_server_limits,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1),
        ("6m0s", 360),
        ("20ms", 0.02),
        ("1h2m3.5s", 3723.5),
        ("7m12s", 432),
        ("86.4ms", 0.0864),
        ("12", 12),
        ("0s", 0),
        ("9" * 15 + "d", MAX_RESET_SECONDS),
        ("", None),
        ("soon", None),
        ("-1s", None),
        ("1s soon", None),
        ("s", None),
        ("1e9s", None),
        ("9" * 5000, None),
        ("1m" * 5000, None),
        ("\u0661s", None),
        ("inf", None),
        ("nan", None),
    ],
)
def test_a_duration_is_parsed_as_openai_writes_it(text: str, seconds: float | None) -> None:
    assert parse_duration(text) == (None if seconds is None else pytest.approx(seconds))


def test_both_limits_are_parsed() -> None:
    seen = parse_server_limits(
        {
            "x-ratelimit-limit-requests": "60",
            "x-ratelimit-remaining-requests": "59",
            "x-ratelimit-reset-requests": "1s",
            "x-ratelimit-limit-tokens": "150000",
            "x-ratelimit-remaining-tokens": "149984",
            "x-ratelimit-reset-tokens": "6m0s",
        }
    )

    assert seen.requests == LimitHeaders(limit=60, remaining=59, reset_seconds=1)
    assert seen.tokens == LimitHeaders(limit=150_000, remaining=149_984, reset_seconds=360)


@pytest.mark.parametrize(
    ("limit", "remaining"),
    [
        ("60", ""),
        ("", "59"),
        ("0", "0"),
        ("-60", "5"),
        ("6e1", "5"),
        ("60", "-1"),
        ("9" * 5000, "1"),
        ("x", "y"),
    ],
)
def test_a_limit_that_makes_no_sense_is_left_out(limit: str, remaining: str) -> None:
    headers = {"x-ratelimit-limit-requests": limit, "x-ratelimit-remaining-requests": remaining}

    assert parse_server_limits(headers).requests is None


def test_no_limit_is_too_large_and_no_more_remains_than_the_limit() -> None:
    headers = {"x-ratelimit-limit-tokens": "9" * 15, "x-ratelimit-remaining-tokens": "9" * 15}

    assert parse_server_limits(headers).tokens == LimitHeaders(limit=MAX_LIMIT, remaining=MAX_LIMIT)
