"""How long a request may wait for a change of a run, while its caller has others that wait."""

from dataclasses import dataclass
from typing import Final

BUSY_WAIT_SECONDS: Final = 5.0
"""How long a request waits if more than half of its caller's places are taken: they are free sooner."""

RETRY_SECONDS: Final = 5
"""When a request that may not wait should be made again."""


@dataclass(frozen=True)
class Place:
    """The place of a request that waits: its number among those of its caller, and until when it is taken.

    `until` are milliseconds since 1970. `taken` are the places that are taken, this one included.
    """

    number: int
    until: int
    taken: int


def wait_limit(place: Place | None, places: int) -> float:
    """How many seconds a request may wait that has this place, of so many; None is no place."""
    if place is None:
        return 0
    return BUSY_WAIT_SECONDS if place.taken > places / 2 else float("inf")
