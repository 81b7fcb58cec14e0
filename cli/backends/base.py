"""What commands ask of runs, wherever these are: on the laptop, or on a deployed stack."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console

from upcall.domain.run import Run
from upcall.domain.status import Status
from upcall.domain.tool_calls import LedgerEntry
from upcall.domain.views import RunSummary, RunView

Fields = Mapping[str, str | None]
"""The fields of a request besides its prompt; None where they are not given."""


@dataclass(frozen=True)
class Took:
    """What a run took of AWS. Only the history of its execution tells, which the HTTP API does not show."""

    transitions: int
    dollars: float


@dataclass(frozen=True)
class Outcome:
    """How a run went: as its caller sees it, its ledger, and what it took where that is known."""

    run: RunView
    ledger: list[LedgerEntry]
    took: Took | None = None


@dataclass(frozen=True)
class Shown:
    """A run whole: the record, the ledger, and the message if there is one."""

    run: Run
    ledger: list[LedgerEntry]
    message: str | None


class Source(Protocol):
    """Runs, wherever they are. Every method raises Problem, or NotFound for a run that does not exist."""

    def run(self, prompt: str | None, fields: Fields, err: Console) -> Outcome:
        """Start a run and follow it to its end, with its progress on `err`."""

    def retried(self, run_id: str, err: Console) -> Outcome:
        """Have a run tried again that ended without a message, and follow it to its end."""

    def listed(self, status: Status | None, limit: int) -> list[RunSummary]:
        """At most so many runs, newest first."""

    def shown(self, run_id: str) -> Shown:
        """A run whole."""

    def cancelled(self, run_id: str) -> RunView:
        """Cancel a run; one that has ended is a Problem."""
