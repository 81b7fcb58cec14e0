"""Requests turns no faster than the rate limits of the server allow, together with all other runs.

What is known of the limits is read once before a request. Who has to wait takes a ticket and waits in the
workflow, with the ticket in its state; a wait that costs less in the function than there is slept here. A
table that cannot be read or written fails no run: then the turn is requested at once.
"""

import math
import random
from collections.abc import Callable
from typing import TypeVar

from upcall.domain.errors import UpcallError
from upcall.domain.rate_limit import RateLimit, ServerLimits, Ticket
from upcall.observability.logging import logger
from upcall.use_cases.interfaces import Clock, RateLimitRepository

MAX_SLEEP_SECONDS = 2.0
"""A wait of the workflow costs three transitions, as much as 22 s of a 256 MB function."""

RECHECK_SECONDS = (0.2, 0.4)
"""Between two reads, while nothing is known of the server and that may change at any time."""

UNKNOWN_PAUSE_SECONDS = (2.0, 4.0)
"""In the workflow, in the same case."""

SURE_SECONDS = 20.0
SURE_SHARE = 0.6
"""Of a wait for a server without headers: by then the rate may have grown, and the run looks again."""

MAX_WRITE_TRIES = 3
"""Of what a refusal tells, if others write at the same time."""

T = TypeVar("T")


class TurnPacing:
    """The rate limit of one model, for one request of one run. `ticket` is the one that the run has taken."""

    def __init__(
        self, repository: RateLimitRepository, model: str, clock: Clock, ticket: Ticket | None = None
    ) -> None:
        self.ticket = ticket
        self._repository = repository
        self._model = model
        self._clock = clock
        self._known: RateLimit | None = None

    def wait_for_turn(self) -> float:
        """Wait until the turn may be requested, or return the seconds that the workflow is to wait before."""
        return self._unless_unavailable(self._wait_for_turn) or 0

    def queue_again(self) -> float:
        """Take another ticket after a refusal. Returns the seconds to wait in the workflow."""
        self.ticket = None
        return self._unless_unavailable(lambda: self._pause(self._seconds_to_wait(self._read()))) or 0

    def observe(self, seen: ServerLimits, requested_at: float) -> None:
        """Write down what a response says of the limits, if it is news."""
        self._unless_unavailable(lambda: self._observe(seen, requested_at))

    @property
    def now(self) -> float:
        """Seconds since 1970."""
        clock = self._clock
        return clock.now().timestamp()

    def _wait_for_turn(self) -> float:
        clock, slept = self._clock, 0.0
        while seconds := self._seconds_to_wait(self._read()):
            nap = min(seconds, _spread(RECHECK_SECONDS)) if self._is_unknown else seconds
            if slept + nap > MAX_SLEEP_SECONDS:
                logger.info("turn held back", seconds=round(seconds, 1))
                return self._pause(seconds)
            clock.sleep(nap)
            slept += nap
        return 0

    @property
    def _is_unknown(self) -> bool:
        return self._known is not None and self._known.phase == "slow_start"

    def _pause(self, seconds: float) -> float:
        """How long the workflow is to wait. It waits whole seconds; the rest is slept after that."""
        if seconds and self._is_unknown:
            return max(min(seconds, _spread(UNKNOWN_PAUSE_SECONDS)), self._held_seconds)
        if self._known and self._known.ceiling is None:
            seconds = min(seconds, max(seconds * SURE_SHARE, SURE_SECONDS, self._held_seconds))
        return max(math.floor(seconds), 1) if seconds else 0

    @property
    def _held_seconds(self) -> float:
        return self._known.held_until - self.now if self._known else 0

    def _read(self) -> RateLimit | None:
        known = self._repository.get(self._model)
        if known is None or known.is_forgotten(self.now):
            known = self._repository.begin(self._model, RateLimit.unknown(self.now), known)
        self._known = known
        return known

    def _seconds_to_wait(self, known: RateLimit | None) -> float:
        """Takes a ticket, if the run has none of this generation and needs one."""
        if known is None or known.phase == "free":
            return max(known.held_until - self.now, 0) if known else 0
        if self.ticket is None or self.ticket.generation != known.generation:
            known = self._repository.take_ticket(self._model, known, known.unused_before(self.now))
            if known is None:  # another generation has begun at this moment
                return RECHECK_SECONDS[0]
            self._known = known
            self.ticket = Ticket(number=known.tickets, generation=known.generation)
        return max(known.due(self.ticket) - self.now, 0)

    def _observe(self, seen: ServerLimits, requested_at: float) -> None:
        known = self._known
        for _ in range(MAX_WRITE_TRIES):
            changed = known and known.after(seen, self.ticket, requested_at, self.now)
            if not known or not changed or self._repository.update(self._model, changed, known.version):
                return
            if not seen.refused:
                return
            known = self._known = self._repository.get(self._model, consistent=True)

    def _unless_unavailable(self, action: Callable[[], T]) -> T | None:
        try:
            return action()
        except UpcallError as error:
            logger.warning("rate limit not known", error=str(error))
            return None


def _spread(bounds: tuple[float, float]) -> float:
    return random.uniform(*bounds)  # noqa: S311  # spreads load; no secret depends on it
