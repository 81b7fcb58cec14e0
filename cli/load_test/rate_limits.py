"""What a load test reports of rate limits."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.openai_emulator.rate_limits import RateLimits


@dataclass(frozen=True)
class RateLimitReport:
    """The requests for turns that were sent, and those of them that the emulator refused with a 429."""

    sent: int
    refused: int
    refused_share: float


def build_rate_limit_report(rate_limits: "RateLimits") -> RateLimitReport:
    """The report of these limits."""
    sent, refused = rate_limits.sent, rate_limits.refused
    return RateLimitReport(sent, refused, round(refused / sent, 4) if sent else 0)
