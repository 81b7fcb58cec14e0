"""The headers that tell a server's rate limits, as OpenAI sends them; compatible servers send some of them.

Reference: https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers.
"""

import re
from collections.abc import Mapping
from typing import Final

from upcall.domain.rate_limit import LimitHeaders, ServerLimits

MAX_LIMIT = 1_000_000_000_000

MAX_RESET_SECONDS = 86_400.0

_INTEGER: Final = re.compile(r"[0-9]{1,15}", re.ASCII)
_PART: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)(ms|us|µs|ns|d|h|m|s)?", re.ASCII)
_UNIT_SECONDS: Final[Mapping[str, float]] = {
    "d": 86_400,
    "h": 3600,
    "m": 60,
    "s": 1,
    "": 1,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "ns": 1e-9,
}
_MAX_CHARACTERS = 60


def parse_server_limits(
    headers: Mapping[str, str], retry_after: float | None = None, *, refused: bool = False
) -> ServerLimits:
    """What the headers of a response say; a limit that they do not tell, or tell badly, is None."""
    return ServerLimits(
        requests=_parse_limit(headers, "requests"),
        tokens=_parse_limit(headers, "tokens"),
        refused=refused,
        retry_after=retry_after,
    )


def parse_duration(text: str) -> float | None:
    """The seconds in `6m0s`, `20ms` or `1h2m3.5s`, or in a number without a unit; None for anything else."""
    text = text.strip()
    if not text or len(text) > _MAX_CHARACTERS:
        return None
    seconds, end = 0.0, 0
    while end < len(text):
        part = _PART.match(text, end)
        if part is None:
            return None
        seconds += float(part[1]) * _UNIT_SECONDS[part[2] or ""]
        end = part.end()
    return min(seconds, MAX_RESET_SECONDS)


def _parse_limit(headers: Mapping[str, str], name: str) -> LimitHeaders | None:
    limit = _parse_count(headers.get(f"x-ratelimit-limit-{name}"))
    remaining = _parse_count(headers.get(f"x-ratelimit-remaining-{name}"))
    if not limit or remaining is None:
        return None
    reset = parse_duration(headers.get(f"x-ratelimit-reset-{name}", ""))
    return LimitHeaders(limit=limit, remaining=min(remaining, limit), reset_seconds=reset)


def _parse_count(text: str | None) -> int | None:
    text = (text or "").strip()
    return min(int(text), MAX_LIMIT) if _INTEGER.fullmatch(text) else None
