"""Rate limits of the emulator's models: requests and tokens per minute, with OpenAI's headers and errors.

A limit is a token bucket that is refilled continuously, as OpenAI's are:
https://platform.openai.com/docs/guides/rate-limits.
"""

import json
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

DEFAULT_REQUESTS_PER_MINUTE = 30_000
"""As OpenAI gives its largest customers."""

MAX_OUTPUT_FIELDS = ("max_output_tokens", "max_completion_tokens")


@dataclass
class Bucket:
    """A limit of a model: so many units per minute, and as many at once."""

    limit: int
    minute_seconds: float
    level: float = field(init=False)
    _seen_at: float | None = None

    def __post_init__(self) -> None:
        self.level = self.limit

    def refill(self, now: float) -> None:
        """Add what the time since the last request has brought."""
        passed = 0.0 if self._seen_at is None else now - self._seen_at
        self.level = min(self.level + passed * self.limit / self.minute_seconds, self.limit)
        self._seen_at = now

    def seconds_until(self, level: float) -> float:
        """How long it takes until so much is there."""
        return max(level - self.level, 0) * self.minute_seconds / self.limit


@dataclass(frozen=True)
class Admission:
    """Whether a request may pass, and the headers of its response. `error` is the body of a 429."""

    headers: Mapping[str, str]
    error: Mapping[str, Any] | None = None


class RateLimits:
    """The limits of each model. `sent` and `refused` count the requests that would start a turn.

    `minute_seconds` is the length of a minute: tests let it pass faster.
    """

    def __init__(
        self,
        requests_per_minute: int | None = DEFAULT_REQUESTS_PER_MINUTE,
        tokens_per_minute: int | None = None,
        *,
        minute_seconds: float = 60,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._default = (requests_per_minute, tokens_per_minute, minute_seconds)
        self._clock = clock
        self._buckets: dict[str, dict[str, Bucket]] = {}
        self._lock = threading.Lock()
        self.sent = 0
        self.refused = 0

    def limit(
        self,
        model: str,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        *,
        minute_seconds: float = 60,
    ) -> None:
        """Give a model limits of its own."""
        limits = {"requests": requests_per_minute, "tokens": tokens_per_minute}
        self._buckets[model] = {
            name: Bucket(limit, minute_seconds) for name, limit in limits.items() if limit
        }

    def admit(self, model: str, body: bytes) -> Admission:
        """Count a request that starts a turn, and let it pass if there is room for it."""
        with self._lock:
            if model not in self._buckets:
                requests, tokens, minute_seconds = self._default
                self.limit(model, requests, tokens, minute_seconds=minute_seconds)
            buckets, now = self._buckets[model], self._clock()
            needed = {"requests": 1, "tokens": estimate_tokens(body)}
            for bucket in buckets.values():
                bucket.refill(now)
            self.sent += 1
            short = next((name for name in buckets if buckets[name].level < needed[name]), None)
            if short is None:
                for name, bucket in buckets.items():
                    bucket.level -= needed[name]
                return Admission(_headers(buckets))
            self.refused += 1
            return _refuse(model, short, needed[short], buckets)


def estimate_tokens(body: bytes) -> int:
    """What OpenAI counts before a turn starts: the request, four bytes a token, and the largest output."""
    try:
        fields = json.loads(body)
    except ValueError:
        fields = {}
    largest = [fields.get(name) or 0 for name in MAX_OUTPUT_FIELDS] if isinstance(fields, dict) else [0]
    return len(body) // 4 + max(largest)


def format_duration(seconds: float) -> str:
    """As OpenAI writes it: `20ms`, `1.5s`, `6m0s`."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(round(seconds, 3), 60)
    return f"{int(minutes)}m{rest:g}s" if minutes else f"{rest:g}s"


def _headers(buckets: Mapping[str, Bucket]) -> dict[str, str]:
    headers = {}
    for name, bucket in buckets.items():
        headers[f"x-ratelimit-limit-{name}"] = str(bucket.limit)
        headers[f"x-ratelimit-remaining-{name}"] = str(int(bucket.level))
        headers[f"x-ratelimit-reset-{name}"] = format_duration(bucket.seconds_until(bucket.limit))
    return headers


def _refuse(model: str, name: str, needed: int, buckets: Mapping[str, Bucket]) -> Admission:
    bucket = buckets[name]
    unit = "requests per min (RPM)" if name == "requests" else "tokens per min (TPM)"
    used = bucket.limit - int(bucket.level)
    if needed > bucket.limit:
        message = f"Request too large for {model} on {unit}: Limit {bucket.limit}, Requested {needed}."
        pause = 0.0
    else:
        pause = bucket.seconds_until(needed)
        message = f"Rate limit reached for {model} on {unit}: Limit {bucket.limit}, Used {used}, "
        message += f"Requested {needed}. Please try again in {format_duration(pause)}."
    headers = _headers(buckets)
    headers |= {"retry-after": str(math.ceil(pause)), "retry-after-ms": str(math.ceil(pause * 1000))}
    error = {"message": message, "type": name, "param": None, "code": "rate_limit_exceeded"}
    return Admission(headers, {"error": error})
