"""Runs on a deployed stack, over its HTTP API alone."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from cli.backends.base import RequestFields, RunDetails, RunOutcome, build_run_request
from cli.backends.clients import open_stack_client
from cli.errors import CommandError
from cli.terminal.live_view import LiveView
from cli.terminal.open_calls import OpenCallReporter
from cli.terminal.run_output import print_started
from upcall.client import CallerFunctions, UpcallClient
from upcall.domain.status import Status
from upcall.domain.views import RunSummary, RunView


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

    def list_runs(self, status: Status | None, limit: int, owner: str | None) -> list[RunSummary]:
        """See Backend. Lists the runs that the caller may see."""
        return list(self._api.list_runs(status, limit, owner))

    def get_run(self, run_id: str) -> RunDetails:
        """See Backend."""
        run = self._api.get_run(run_id)
        events = self._api.list_events(run_id).events
        return RunDetails(run, self._api.list_calls(run_id), run.message, run.open_calls, events)

    def cancel_run(self, run_id: str) -> RunView:
        """See Backend."""
        return self._api.cancel_run(run_id)

    def _follow(self, run_id: str, functions: CallerFunctions, err: Console) -> RunOutcome:
        with LiveView(err) as view:
            observer = OpenCallReporter(view, functions, self._stack)
            try:
                run = self._api.follow(run_id, functions, observer)
                return RunOutcome(run, self._api.list_calls(run_id))
            except KeyboardInterrupt:
                message = f"{run_id} is still running; `upcall cancel {run_id}` cancels it"
                raise CommandError(message) from None
