"""The switch: an operator stops the start of runs, of all or of some, and lets them start again."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal

from upcall.domain.errors import Stopped
from upcall.domain.model import Model
from upcall.domain.quota import NO_QUOTA, Quota, QuotaSetting

RETRY_SECONDS: Final = 60

Scope = Literal["all", "caller", "batch"]


class Stop(Model):
    """What is stopped: all runs, those of a caller or those of a batch, by its name or id, and since when."""

    scope: Scope
    name: str = ""
    since: datetime

    @property
    def subject(self) -> str:
        """What is stopped, in words."""
        return "all runs" if self.scope == "all" else f"the runs of {self.scope} {self.name}"


class Controls(Model):
    """What an operator has set for the runs of a caller."""

    stops: tuple[Stop, ...] = ()
    setting: QuotaSetting | None = None

    def check(self) -> None:
        """Raise Stopped if no run may start."""
        check_stops(self.stops)

    def quota(self, default: Quota = NO_QUOTA) -> Quota:
        """The quota that holds for the caller."""
        return self.setting.applied_to(default) if self.setting else default


def check_stops(stops: Iterable[Stop]) -> None:
    """Raise Stopped if there is a stop."""
    for stop in stops:
        subject = "all runs" if stop.scope == "all" else f"the runs of this {stop.scope}"
        message = f"an operator has stopped {subject}: no run starts until they are resumed"
        raise Stopped(message, RETRY_SECONDS)
