"""How often requests to the OpenAI server and turns that failed there are repeated, after which pauses."""

import random

from upcall.domain.errors import TransientError
from upcall.domain.failure import Failure
from upcall.domain.model import Model

MAX_ERRORS = 7
"""Requests in a row that may fail, unless the server says when to come back. The same holds for turns."""

FIRST_PAUSE_SECONDS = 1.0
MAX_PAUSE_SECONDS = 30.0
"""Before jitter, the pauses of seven errors add up to about a minute. OpenAI has answered 404 for a response
that it had just created for up to 33 seconds."""


class UpstreamErrors(Model):
    """Errors in a row of requests for one run, and the newest one in the server's words.

    `failed_turns` are turns in a row that the server took on and that failed there.
    """

    count: int = 0
    last: str = ""
    failed_turns: int = 0

    def add(self, error: TransientError) -> "UpstreamErrors":
        """Count an error. One with Retry-After does not count: the server has said what to do."""
        count = self.count + (error.retry_after is None)
        return UpstreamErrors(count=count, last=error.detail, failed_turns=self.failed_turns)

    def add_failed_turn(self, failure: Failure) -> "UpstreamErrors":
        """Count a turn that failed."""
        return UpstreamErrors(last=failure.message, failed_turns=self.failed_turns + 1)

    def after_success(self) -> "UpstreamErrors":
        """What counts on after a request that succeeded: a turn that runs may still fail."""
        return self.model_copy(update={"count": 0}) if self.failed_turns else NO_ERRORS

    @property
    def failure(self) -> Failure | None:
        """The failure of a run with too many errors in a row."""
        if self.count < MAX_ERRORS:
            return None
        message = f"{self.count} requests to the server failed in a row. The last error: {self.last}"
        return Failure(code="upstream_error", message=message)

    def pause_seconds(self, error: TransientError) -> float:
        """How long to wait before the next request: what the server asks for, or twice as long each time."""
        return _pause_seconds(self.count) if error.retry_after is None else error.retry_after

    @property
    def turn_pause_seconds(self) -> float:
        """How long to wait before a turn that failed is requested again: twice as long each time."""
        return _pause_seconds(self.failed_turns)


def _pause_seconds(count: int) -> float:
    longest: float = min(FIRST_PAUSE_SECONDS * 2 ** (count - 1), MAX_PAUSE_SECONDS)
    return longest * random.uniform(0.75, 1)  # noqa: S311  # spreads load; no secret depends on it


NO_ERRORS = UpstreamErrors()
