"""The rate limits of the emulator."""

import pytest

from local.openai_emulator.rate_limits import Bucket, RateLimits, estimate_tokens, format_duration


class FakeTime:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def now() -> FakeTime:
    return FakeTime()


def test_a_model_without_limits_admits_all_and_says_nothing() -> None:
    limits = RateLimits(None)

    assert all(limits.admit("m", b"{}").error is None for _ in range(1000))
    assert limits.admit("m", b"{}").headers == {}


def test_requests_over_the_limit_are_refused_until_it_is_refilled(now: FakeTime) -> None:
    limits = RateLimits(60, clock=now)
    admitted = [limits.admit("m", b"{}").error is None for _ in range(61)]

    assert admitted == [True] * 60 + [False]
    now.seconds = 1
    assert limits.admit("m", b"{}").error is None
    assert limits.admit("m", b"{}").error is not None
    assert (limits.sent, limits.refused) == (63, 2)


def test_headers_are_those_of_openai(now: FakeTime) -> None:
    limits = RateLimits(60, 6000, clock=now)

    assert limits.admit("m", b"x" * 400).headers == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-limit-tokens": "6000",
        "x-ratelimit-remaining-tokens": "5900",
        "x-ratelimit-reset-tokens": "1s",
    }


def test_a_refusal_says_why_and_for_how_long(now: FakeTime) -> None:
    limits = RateLimits(None, tokens_per_minute=6000, clock=now)
    limits.admit("m", b'{"max_output_tokens": 5950}')
    refused = limits.admit("m", b'{"max_output_tokens": 250}')

    assert refused.error is not None
    assert refused.error["error"]["code"] == "rate_limit_exceeded"
    assert "tokens per min (TPM): Limit 6000" in refused.error["error"]["message"]
    assert refused.headers["retry-after"] == "3"


def test_a_request_larger_than_the_limit_is_never_admitted(now: FakeTime) -> None:
    refused = RateLimits(None, tokens_per_minute=100, clock=now).admit("m", b"x" * 4000)

    assert refused.error is not None
    assert refused.error["error"]["message"].startswith("Request too large")


def test_each_model_has_its_own_limit(now: FakeTime) -> None:
    limits = RateLimits(1, clock=now)

    assert limits.admit("a", b"").error is None
    assert limits.admit("b", b"").error is None
    assert limits.admit("a", b"").error is not None


def test_a_bucket_never_holds_more_than_its_limit() -> None:
    bucket = Bucket(60, 60)
    bucket.refill(0)
    bucket.refill(1000)

    assert bucket.level == 60


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0ms"), (0.0195, "20ms"), (1, "1s"), (1.5, "1.5s"), (360, "6m0s"), (432.5, "7m12.5s")],
)
def test_durations_are_written_as_openai_writes_them(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize("body", [b"", b"[]", b"not json", b'"text"'])
def test_tokens_of_any_body_can_be_estimated(body: bytes) -> None:
    assert estimate_tokens(body) == len(body) // 4
