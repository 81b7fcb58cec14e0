"""A task of a run's workflow that waits until OpenAI's webhook says that the run has changed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from upcall.domain.limits import Counters, Limits
from upcall.domain.model import Model
from upcall.domain.prices import Price
from upcall.domain.status import WORKING_STATUSES
from upcall.domain.upstream_run import UpstreamRun, UpstreamSnapshot


class WaitingTask(Model):
    """What is needed to complete the task, and to see whether it is time to.

    `counters` are those at the time `since`, `price` is that of the run's model. `result` is what the task
    returns besides the run's snapshot.
    """

    run_id: str
    task_token: str
    upstream_run: UpstreamRun
    limits: Limits
    counters: Counters
    price: Price | None = None
    since: datetime
    result: Mapping[str, Any] = {}

    def counters_at(self, now: datetime) -> Counters:
        """The counters at a later time: only the seconds have gone on."""
        seconds = self.counters.seconds + (now - self.since).total_seconds()
        return self.counters.model_copy(update={"seconds": seconds})

    def is_unchanged(self, snapshot: UpstreamSnapshot) -> bool:
        """Whether the run was seen, and the model is still at work on it."""
        seen = snapshot.errors == self.counters.errors.after_success()
        return seen and snapshot.status in WORKING_STATUSES

    def output(self, snapshot: UpstreamSnapshot) -> dict[str, Any]:
        """What the task returns once the run has changed."""
        return {**snapshot.model_dump(mode="json"), **self.result}
