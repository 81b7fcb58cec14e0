"""How often a message is delivered again whose receiver did not take it: a callback, or a trace."""

import random
from typing import Final

MAX_AGE_SECONDS: Final = 86_400
"""A message that has not arrived after a day goes to the dead-letter queue."""

FIRST_DELAY_SECONDS: Final = 30
MAX_DELAY_SECONDS: Final = 7200

MAX_RETRY_AFTER_SECONDS: Final = 36_000
"""The longest pause that a receiver may ask for. SQS hides a message for twelve hours at most."""


def retry_delay_seconds(tries: int, retry_after: float | None = None) -> int:
    """The delay after so many tries: it doubles up to two hours, less up to half of it at random.

    It is not shorter than the pause in seconds that the receiver asks for.
    """
    longest: int = min(FIRST_DELAY_SECONDS * 2 ** min(tries - 1, 20), MAX_DELAY_SECONDS)
    delay = round(longest * random.uniform(0.5, 1))  # noqa: S311  # spreads load; no secret depends on it
    return max(delay, round(min(retry_after or 0, MAX_RETRY_AFTER_SECONDS)))
