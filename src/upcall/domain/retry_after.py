"""The pause that a server asks for with the header Retry-After."""

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_MAX_HEADER_CHARACTERS = 100


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """The seconds from now in a Retry-After header, which may be a date; None if it says nothing.

    Not negative, and finite. Servers send fractions, though RFC 9110 section 10.2.3 has whole seconds only.
    """
    text = (value or "").strip()
    if not text.isascii() or len(text) > _MAX_HEADER_CHARACTERS:
        return None
    seconds = parse_seconds(text)
    if seconds is not None:
        return seconds
    try:
        date = parsedate_to_datetime(text)
        seconds = ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(seconds, 0)


def parse_seconds(value: str | None, unit: float = 1) -> float | None:
    """The seconds in a header that holds a number of units; None for a date or anything else."""
    try:
        seconds = float(value or "") * unit
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
