"""A clock for tests: time passes only when somebody sleeps."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class FakeClock:
    """Implements Clock. `sleeps` lists how long each sleep was, in seconds."""

    def __init__(self) -> None:
        self.sleeps: list[float] = []
        self._elapsed = 0.0
        self._scheduled: list[tuple[float, Callable[[], object]]] = []

    def now(self) -> datetime:
        """The time of day, in UTC."""
        return START + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._elapsed

    def sleep(self, seconds: float, /) -> None:
        """Let time pass, and do what is scheduled meanwhile."""
        self.sleeps.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let time pass without a sleep."""
        end = self._elapsed + seconds
        while due := [entry for entry in self._scheduled if entry[0] <= end]:
            entry = min(due, key=lambda each: each[0])
            self._scheduled.remove(entry)
            self._elapsed = max(self._elapsed, entry[0])
            entry[1]()
        self._elapsed = end

    def schedule(self, seconds: float, action: Callable[[], object]) -> None:
        """Do something when so many seconds from now have passed."""
        self._scheduled.append((self._elapsed + seconds, action))
