"""The interface of a backend, and what its methods take and return."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import ValidationError
from rich.console import Console

from upcall.client import CallerFunctions
from upcall.domain.errors import InvalidInput
from upcall.domain.run import Run
from upcall.domain.run_events import RunEvent
from upcall.domain.run_request import RunRequest
from upcall.domain.status import Status
from upcall.domain.tool_calls import LedgerEntry
from upcall.domain.validation import field_errors
from upcall.domain.views import OpenCallView, RunSummary, RunView

RequestFields = Mapping[str, str | bool | None]
"""The fields of a request besides its prompt; None for those that are not given."""


@dataclass(frozen=True)
class AwsUsage:
    """State transitions of a run, and the estimated cost in dollars. The HTTP API does not return them."""

    transitions: int
    dollars: float


@dataclass(frozen=True)
class RunOutcome:
    """A run that has ended, with its ledger, and what it used of AWS if that is known."""

    run: RunView
    ledger: list[LedgerEntry]
    aws_usage: AwsUsage | None = None


@dataclass(frozen=True)
class RunDetails:
    """The record of a run, its ledger, its message if there is one, the calls that wait, and its events."""

    run: Run
    ledger: list[LedgerEntry]
    message: str | None
    open_calls: Sequence[OpenCallView] = ()
    events: Sequence[RunEvent] = ()


class Backend(Protocol):
    """Runs on one stack. Every method raises CommandError or UpcallError, which `main` prints."""

    def start_and_follow(
        self, prompt: str | None, fields: RequestFields, functions: CallerFunctions, err: Console
    ) -> RunOutcome:
        """Start a run with these functions as tools, and follow it to its end; its progress goes to `err`."""

    def retry_and_follow(self, run_id: str, functions: CallerFunctions, err: Console) -> RunOutcome:
        """Retry a run that ended without a message, and follow it to its end."""

    def list_runs(self, status: Status | None, limit: int, owner: str | None) -> list[RunSummary]:
        """At most `limit` runs, newest first: of one caller, or of all whose runs the user may see."""

    def get_run(self, run_id: str) -> RunDetails:
        """A run with its ledger and its message."""

    def cancel_run(self, run_id: str) -> RunView:
        """Cancel a run. A run that has ended raises CommandError."""


def build_run_request(
    prompt: str, fields: RequestFields, functions: CallerFunctions | None = None
) -> RunRequest:
    """The request with that prompt, those fields and these functions as tools. Raises InvalidInput."""
    tools = {"tools": functions.definitions} if functions and functions.definitions else {}
    try:
        return RunRequest.model_validate({"prompt": prompt, **fields, **tools})
    except ValidationError as error:
        raise InvalidInput(*field_errors(error)) from error
