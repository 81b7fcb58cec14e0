"""What enforces a quota in the simulation: a token bucket, and Lambda's concurrency."""

from collections.abc import Mapping

from bench.scale.quotas import Quota

PEAK_SECONDS = 60
"""Peaks are means over so long."""


class Peak:
    """The highest use per second, as a mean over a minute. Times must not decrease."""

    def __init__(self) -> None:
        self.per_second = 0.0
        self._minute, self._used = -1, 0.0

    def count(self, amount: float, now: float) -> None:
        """Count what is asked for at a time."""
        minute = int(now // PEAK_SECONDS)
        if minute != self._minute:
            self._minute, self._used = minute, 0.0
        self._used += amount
        self.per_second = max(self.per_second, self._used / PEAK_SECONDS)


class TokenBucket:
    """A bucket that is full at first. `rate` is what comes back per second, `size` the most that it holds."""

    def __init__(self, rate: float, size: float) -> None:
        self.rate, self.size, self.peak = rate, size, Peak()
        self._tokens, self._updated = size, 0.0

    def take(self, amount: float, now: float) -> bool:
        """Take the tokens if there are enough."""
        self.peak.count(amount, now)
        self._refill(now)
        if self._tokens < amount:
            return False
        self._tokens -= amount
        return True

    def reserve(self, amount: float, now: float) -> float:
        """Take the tokens in any case, in order. Returns the seconds until all of them are there."""
        self.peak.count(amount, now)
        self._refill(now)
        self._tokens -= amount
        return max(0.0, -self._tokens / self.rate)

    def give_back(self, amount: float) -> None:
        """Return tokens that were taken for a request that was refused for another reason."""
        self._tokens = min(self.size, self._tokens + amount)

    def _refill(self, now: float) -> None:
        self._tokens = min(self.size, self._tokens + (now - self._updated) * self.rate)
        self._updated = now


class Lambda:
    """The concurrency of an account, and the environments of its functions, which stay once they exist."""

    def __init__(self, quotas: Mapping[str, Quota]) -> None:
        self.limit = quotas["lambda_concurrency"].limit
        self.busy, self.peak, self.scaling_peak = 0, 0, 0.0
        self._scaling = quotas["lambda_scaling"]
        self._functions: dict[str, _Function] = {}

    def start(self, function: str, count: int, now: float) -> str | None:
        """Start invocations. Returns the name of the quota that refuses them, or None if they run."""
        if self.busy + count > self.limit:
            self.peak = int(self.limit)
            return "lambda_concurrency"
        if (found := self._functions.get(function)) is None:
            bucket = TokenBucket(self._scaling.limit, self._scaling.bucket or 0)
            found = self._functions[function] = _Function(bucket)
        missing = found.busy + count - found.environments
        if missing > 0:
            if not found.scaling.take(missing, now):
                return "lambda_scaling"
            self.scaling_peak = max(self.scaling_peak, found.scaling.peak.per_second)
            found.environments += missing
        found.busy += count
        self.busy += count
        self.peak = max(self.peak, self.busy)
        return None

    def end(self, function: str, count: int) -> None:
        """End invocations."""
        self._functions[function].busy -= count
        self.busy -= count


class _Function:
    def __init__(self, scaling: TokenBucket) -> None:
        self.scaling, self.busy, self.environments = scaling, 0, 0
