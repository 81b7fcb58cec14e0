"""Runs on a deployed stack, over its HTTP API alone."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import groupby

from rich.console import Console

from cli.backends.base import RequestFields, RunDetails, RunOutcome, build_run_request
from cli.backends.clients import open_stack_client
from cli.errors import CommandError
from cli.execution_history import RunProgress, StateProgress, ToolCallProgress
from cli.terminal.live_view import LiveView
from cli.terminal.open_calls import OpenCallReporter
from cli.terminal.run_output import print_started
from upcall.client import CallerFunctions, UpcallClient
from upcall.domain.status import Status
from upcall.domain.tool_calls import LedgerEntry
from upcall.domain.views import RunSummary, RunView

WAIT_SECONDS = 20
"""How long one request waits for the end of a run."""

TERMINAL_WAIT_SECONDS = 2
"""The same on a terminal, where each round should be shown soon after it has ended."""


@contextmanager
def connect_to_stack(stack: str, token: str | None) -> Iterator["DeployedBackend"]:
    """The stack of that name or URL, with a token or the user's AWS credentials. Raises CommandError."""
    with open_stack_client(stack, token) as api:
        yield DeployedBackend(api, stack)


class DeployedBackend:
    """Implements Backend with what the API shows to its caller. `stack` is its name or URL."""

    def __init__(self, api: UpcallClient, stack: str) -> None:
        self._api = api
        self._stack = stack

    def start_and_follow(
        self, prompt: str | None, fields: RequestFields, functions: CallerFunctions, err: Console
    ) -> RunOutcome:
        """See Backend. If the user interrupts it, the run continues."""
        if prompt is None:
            raise CommandError("a run on a deployed stack needs a prompt; the sample page is local")
        request = build_run_request(prompt, fields, functions)
        run_id = self._api.start_run(request)
        print_started(err, run_id, self._api.url, request)
        return self._follow(run_id, functions, err)

    def retry_and_follow(self, run_id: str, functions: CallerFunctions, err: Console) -> RunOutcome:
        """See Backend. If the user interrupts it, the run continues."""
        self._api.retry_run(run_id)
        return self._follow(run_id, functions, err)

    def list_runs(self, status: Status | None, limit: int) -> list[RunSummary]:
        """See Backend. Lists the runs that the caller may see."""
        return list(self._api.list_runs(status, limit))

    def get_run(self, run_id: str) -> RunDetails:
        """See Backend."""
        run = self._api.get_run(run_id)
        return RunDetails(run, self._api.list_calls(run_id), run.message, run.open_calls)

    def cancel_run(self, run_id: str) -> RunView:
        """See Backend."""
        return self._api.cancel_run(run_id)

    def _follow(self, run_id: str, functions: CallerFunctions, err: Console) -> RunOutcome:
        wait = TERMINAL_WAIT_SECONDS if err.is_terminal else WAIT_SECONDS
        with LiveView(err) as view:
            observer = ProgressObserver(self._api, view, functions, self._stack)
            try:
                run = self._api.follow(run_id, functions, observer, wait)
                return RunOutcome(run, observer.ledger)
            except KeyboardInterrupt:
                message = f"{run_id} is still running; `upcall cancel {run_id}` cancels it"
                raise CommandError(message) from None


class ProgressObserver(OpenCallReporter):
    """Shows a run's status, its finished rounds, and the calls that wait for an answer."""

    def __init__(self, api: UpcallClient, view: LiveView, functions: CallerFunctions, stack: str) -> None:
        super().__init__(view, functions, stack)
        self._api = api
        self._since = datetime.now(UTC)  # the view measures durations with this machine's clock
        self.ledger: list[LedgerEntry] = []
        view.update(RunProgress([StateProgress("queued", self._since)]))

    def run_updated(self, run: RunView) -> None:
        """See RunObserver."""
        if run.ended or run.round > (self.ledger[-1].round if self.ledger else 0):
            # a round that the record does not count yet may be incomplete
            entries = self._api.list_calls(run.run_id)
            self.ledger = [entry for entry in entries if run.ended or entry.round <= run.round]
        self._view.update(_progress_from_ledger(run, self.ledger, self._since))
        super().run_updated(run)


def _progress_from_ledger(run: RunView, ledger: Sequence[LedgerEntry], since: datetime) -> RunProgress:
    """The rounds of the ledger and, while the run has not ended, its status."""
    rounds = groupby(ledger, key=lambda entry: entry.round)
    states = [_round_progress(number, list(entries), run.created_at) for number, entries in rounds]
    if not run.ended:
        states.append(StateProgress(run.status, since))
    return RunProgress(states, ended=run.ended)


def _round_progress(number: int, entries: Sequence[LedgerEntry], created_at: datetime) -> StateProgress:
    """A round, from the start of its first call to the end of its last. A rejected call has no start."""
    start = min((e.output.started_at for e in entries if e.output.started_at), default=created_at)
    calls = {entry.call.call_id: _call_progress(entry, start) for entry in entries}
    end = max(call.ended_at or start for call in calls.values())
    return StateProgress(f"Round {number}", start, end, calls=calls)


def _call_progress(entry: LedgerEntry, default_start: datetime) -> ToolCallProgress:
    started_at = entry.output.started_at or default_start
    return ToolCallProgress(
        **entry.call.model_dump(),
        started_at=started_at,
        ended_at=started_at + timedelta(milliseconds=entry.output.duration_ms),
        outcome=entry.output.outcome,
        output=entry.output.output,
    )
