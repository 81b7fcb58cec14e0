"""The real clock."""

import time
from datetime import UTC, datetime


class SystemClock:
    """Implements Clock with the time of this machine."""

    def now(self) -> datetime:
        """The time of day, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some moment; only differences mean something."""
        return time.monotonic()

    def sleep(self, seconds: float, /) -> None:
        """Wait for so many seconds."""
        time.sleep(seconds)
