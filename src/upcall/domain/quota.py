"""Quotas of a caller: how many runs it may start in a day (UTC) and have open, and what they may use.

Runs count when they start. Tokens and dollars are known when a run ends, so they bound the start of further
runs: the runs under way when a quota is reached may exceed it.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Final, Literal

from pydantic import Field

from upcall.domain.errors import QuotaExceeded
from upcall.domain.model import Model
from upcall.domain.usage import Usage

DAY_SECONDS: Final = 86_400
OPEN_RETRY_SECONDS: Final = 10
"""When to try again if too many runs are open. Nobody knows when one of them ends."""

MICRO: Final = 1_000_000

QuotaName = Literal["runs", "tokens", "usd", "concurrent"]
DAILY: Final[tuple[QuotaName, ...]] = ("runs", "tokens", "usd")

Count = Annotated[int, Field(ge=0, le=10**12)]
Dollars = Annotated[float, Field(ge=0, le=10**9)]


class Quota(Model):
    """How much a caller may use in a day, and how many runs it may have open. None is no quota."""

    runs: int | None = None
    tokens: int | None = None
    usd: float | None = None
    concurrent: int | None = None

    @property
    def limits(self) -> dict[QuotaName, int]:
        """The quotas that there are, as whole numbers: dollars in millionths."""
        usd = None if self.usd is None else round(self.usd * MICRO)
        limits: dict[QuotaName, int | None] = {
            "runs": self.runs,
            "tokens": self.tokens,
            "usd": usd,
            "concurrent": self.concurrent,
        }
        return {name: limit for name, limit in limits.items() if limit is not None}


NO_QUOTA: Final = Quota()


class QuotaSetting(Model):
    """Quotas as an operator sets them: 0 is no quota, None leaves what holds for all callers."""

    runs: Count | None = None
    tokens: Count | None = None
    usd: Dollars | None = None
    concurrent: Count | None = None

    def applied_to(self, default: Quota = NO_QUOTA) -> Quota:
        """The quota that holds for a caller with this setting."""
        settings = self.model_dump(exclude_none=True)
        changes = {name: value or None for name, value in settings.items()}
        return default.model_copy(update=changes)


class CallerUsage(Model):
    """What a caller's runs have used in a day, dollars in millionths, and how many of them are open."""

    runs: int = 0
    tokens: int = 0
    usd: int = 0
    concurrent: int = 0


class Counted(Model):
    """Where the start of a run's attempt was counted: in which day, and among the open runs or not."""

    day: str
    concurrent: bool = False


class Settled(Model):
    """What was counted at the end of an attempt: the run's usage so far, dollars in millionths."""

    attempt: int
    tokens: int = 0
    usd: int = 0

    def since(self, before: "Settled | None") -> "Settled":
        """What this attempt has used: the usage of a run includes that of its earlier attempts."""
        if before is None:
            return self
        return Settled(attempt=self.attempt, tokens=self.tokens - before.tokens, usd=self.usd - before.usd)


def settlement_of(attempt: int, usage: Usage) -> Settled:
    """What is to be counted at the end of an attempt. Tokens without a known price cost nothing."""
    return Settled(attempt=attempt, tokens=usage.total_tokens, usd=round((usage.usd or 0) * MICRO))


def day_of(now: datetime) -> str:
    """The day in which something counts, such as 2026-11-26."""
    return now.astimezone(UTC).date().isoformat()


def end_of_day(now: datetime) -> datetime:
    """When that day ends."""
    tomorrow = now.astimezone(UTC).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), UTC)


def reached(quota: Quota, used: CallerUsage) -> Iterator[QuotaName]:
    """The quotas that leave no room for another run."""
    figures = used.model_dump()
    return (name for name, limit in quota.limits.items() if figures[name] >= limit)


def check_quota(quota: Quota, used: CallerUsage, now: datetime) -> None:
    """Raise QuotaExceeded if another run may not start now."""
    for name in reached(quota, used):
        raise quota_exceeded(name, quota.limits[name], used.model_dump()[name], now)


def quota_exceeded(name: QuotaName, limit: int, used: int, now: datetime) -> QuotaExceeded:
    """The error for a quota that is used up, with the figure and the time when it ends."""
    if name == "concurrent":
        message = f"{used} runs of this caller are open; {limit} are allowed at once"
        return QuotaExceeded(message, name, limit, OPEN_RETRY_SECONDS, None)
    ends_at = end_of_day(now)
    unit = {"runs": "runs", "tokens": "tokens", "usd": "dollars"}[name]
    figures = f"{_text(name, used)} of {_text(name, limit)} {unit}"
    message = f"this caller has used {figures} of the day; the day ends at {ends_at:%Y-%m-%dT%H:%M:%SZ}"
    retry_after = max(1, -int(-(ends_at - now).total_seconds() // 1))
    return QuotaExceeded(message, name, limit, retry_after, DAY_SECONDS)


def _text(name: QuotaName, figure: int) -> str:
    return f"{figure / MICRO:,.2f}" if name == "usd" else f"{figure:,}"
