"""Who calls, and which runs a caller may see: its own, or all of a stack that has one tenant."""

from dataclasses import dataclass
from typing import Final

from upcall.domain.errors import NotFound
from upcall.domain.run import Run

ANYBODY: Final = "anybody"
"""Owns the runs of an API without an authorizer, such as the local stack's."""

EVENTS: Final = "events"
"""Owns the runs that events ask for."""


@dataclass(frozen=True)
class Caller:
    """A caller by name. `one_tenant` says that every caller of the stack may see every run.

    `person` tells people apart who call under one name, such as the sessions of a role, if the authorizer
    does. `may_decide` says that the caller may approve and deny tool calls.
    """

    name: str
    one_tenant: bool
    person: str = ""
    may_decide: bool = False

    @property
    def owner_filter(self) -> str | None:
        """The owner whose runs the caller may list; None for the runs of all."""
        return None if self.one_tenant else self.name

    def may_see(self, owner: str) -> bool:
        """Whether the caller may see what belongs to this owner."""
        return self.one_tenant or owner == self.name

    def check_access(self, run: Run) -> None:
        """Raise NotFound for a run of another caller, with the message that a missing run has."""
        if not self.may_see(run.owner):
            raise no_such_run(run.run_id)


def may_read_stack_data(run: Run, *, one_tenant: bool) -> bool:
    """Whether a run may read data of the stack itself, such as the inbox bucket."""
    return one_tenant or run.owner == EVENTS


def no_such_run(run_id: str) -> NotFound:
    """The error for a run that does not exist. A run of another caller gets the same error."""
    return NotFound(f"there is no run {run_id!r}")
