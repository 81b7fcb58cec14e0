"""What a run asks of each resource: the reference run of `make bench-waiting` (docs/benchmarks.md)."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.waiting.usage import Usage

MEASURED: Mapping[str, Usage] = {
    "polled": Usage(
        transitions=11,
        invocations=8,
        function_seconds=60.91,
        gb_seconds=15.23,
        write_units=25,
        read_units=8,
        http_requests=2,
        events=1,
    ),
    "pushed": Usage(
        transitions=11,
        invocations=11,
        function_seconds=0.75,
        gb_seconds=0.19,
        write_units=31,
        read_units=11,
        http_requests=5,
        events=1,
    ),
}
"""Of one run of three turns with 20 seconds each. A test compares it with the document."""

TURNS = 3
TURN_SECONDS = 20.0
SPREAD = 0.5
"""A turn takes from half as long to one and a half times as long, evenly distributed."""

WRITE_STEPS = TURNS + 2
"""The record and its entry in the index by time are written at the start, for each turn and at the end."""

MEMORY_GB = 0.25


@dataclass(frozen=True)
class RunModel:
    """A run of the reference shape. `pushed` runs wait for webhooks, others hold a function as they wait.

    `tokens` are those of a turn, read and written.
    """

    pushed: bool
    tokens: float = 3_000
    turn_seconds: float = TURN_SECONDS

    @property
    def measured(self) -> Usage:
        """What one run used."""
        return MEASURED["pushed" if self.pushed else "polled"]

    @property
    def function_seconds(self) -> float:
        """The time of an invocation without waiting for the model."""
        waiting = 0 if self.pushed else TURNS * TURN_SECONDS
        return (self.measured.function_seconds - waiting) / self.measured.invocations
