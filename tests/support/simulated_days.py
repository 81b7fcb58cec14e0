"""Calls that wait for days, in seconds: faster time-outs of the tasks, and a faster clock of those who look at it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from support.task_timeouts import shorten_task_timeouts
from support.waiting import wait_until
from upcall.lambda_runtime.clock import SystemClock

SPEED = 43_200
"""A day takes two seconds."""

LONGEST_REAL_TIMEOUT = 200
"""Seconds. The workflow's other tasks have less, for functions that work in real time."""

MARGIN = 2
"""Seconds of a longer time-out that are real, because the function that starts to wait is not faster either."""


@dataclass
class SimulatedDays:
    """The time of day since the simulation began, so many times as fast."""

    start: datetime = field(default_factory=lambda: datetime.now(UTC))

    def now(self) -> datetime:
        """The simulated time."""
        return self.start + (datetime.now(UTC) - self.start) * SPEED

    def wait_until(self, time: datetime) -> None:
        """Wait until that time has come."""
        seconds = (time - self.now()).total_seconds() / SPEED
        wait_until(lambda: self.now() >= time, f"{time}", timeout_seconds=seconds + 1)

    def wait_for_days(self, days: float) -> None:
        """Wait for so many days from now on."""
        self.wait_until(self.now() + timedelta(days=days))


@contextmanager
def simulated_days() -> Iterator[SimulatedDays]:
    """Let time pass faster for calls that wait."""
    from handlers import receive_decision, receive_tool_outputs, wait_for_answer

    days = SimulatedDays()

    class SimulatedClock(SystemClock):
        def now(self) -> datetime:
            return days.now()

    def shorten(seconds: float) -> float:
        return seconds / SPEED + MARGIN if seconds > LONGEST_REAL_TIMEOUT else seconds

    with pytest.MonkeyPatch.context() as patch:
        for handler in (receive_decision, receive_tool_outputs, wait_for_answer):
            patch.setattr(handler, "SystemClock", SimulatedClock)
        shorten_task_timeouts(patch, shorten)
        yield days
