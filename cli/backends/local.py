"""Runs on the local stack: started and followed over its HTTP API."""

import boto3
from rich.console import Console

from cli import cost
from cli.backends.base import AwsUsage, RequestFields, RunDetails, RunOutcome, build_run_request
from cli.backends.local_stack import LocalStackClient, connect_or_start, open_repository
from cli.execution_history import get_whole_history, parse_history
from cli.terminal.live_view import LiveView
from cli.terminal.open_calls import OpenCallReporter
from cli.terminal.run_output import print_started
from upcall.client import CallerFunctions, UpcallClient
from upcall.domain.run_events import list_all_events
from upcall.domain.status import Status
from upcall.domain.views import OpenCallView, RunSummary, RunView

POLL_INTERVAL_SECONDS = 0.15


class LocalBackend:
    """Implements Backend with the running local stack, or with a new one for each command."""

    def start_and_follow(
        self, prompt: str | None, fields: RequestFields, functions: CallerFunctions, err: Console
    ) -> RunOutcome:
        """See Backend. Without a prompt, summarises a sample page."""
        if prompt is not None:
            build_run_request(prompt, fields, functions)  # report invalid input before a stack is started
        with (
            err.status("Starting the local stack") as status,
            connect_or_start() as stack,
            UpcallClient(stack.endpoints.api) as api,
        ):
            request = build_run_request(
                prompt or f"Summarise {stack.endpoints.pages}/tides", fields, functions
            )
            run_id = api.start_run(request)
            status.stop()
            server = "emulator" if stack.endpoints.emulated else stack.endpoints.openai
            print_started(err, run_id, server, request)
            return _follow(stack, api, run_id, functions, err)

    def retry_and_follow(self, run_id: str, functions: CallerFunctions, err: Console) -> RunOutcome:
        """See Backend."""
        with connect_or_start() as stack, UpcallClient(stack.endpoints.api) as api:
            api.retry_run(run_id)
            return _follow(stack, api, run_id, functions, err)

    def list_runs(self, status: Status | None, limit: int, owner: str | None) -> list[RunSummary]:
        """See Backend. Reads the table."""
        with open_repository() as repository:
            return list(repository.list_runs(owner=owner, status=status, limit=limit).runs)

    def get_run(self, run_id: str) -> RunDetails:
        """See Backend. Reads the table, which has the upstream ids as well."""
        with open_repository() as repository:
            run = repository.get_run(run_id)
            calls = repository.list_open_calls(run) if run.waiting_calls else []
            open_calls = [OpenCallView.of(call) for call in calls if call.answer is None]
            ledger = repository.get_ledger(run_id)
            events = list_all_events(run)
            return RunDetails(run, ledger, repository.get_message(run), open_calls, events)

    def cancel_run(self, run_id: str) -> RunView:
        """See Backend. Uses the API, which also cancels the run upstream."""
        with connect_or_start() as stack, UpcallClient(stack.endpoints.api) as api:
            return api.cancel_run(run_id)


def _follow(
    stack: LocalStackClient, api: UpcallClient, run_id: str, functions: CallerFunctions, err: Console
) -> RunOutcome:
    """Show the progress of a run to its end. Calls of the functions are answered."""
    with LiveView(err) as view:
        reporter = OpenCallReporter(view, functions)
        run = api.follow(run_id, functions, reporter, wait_seconds=0, pause_seconds=POLL_INTERVAL_SECONDS)
    return _outcome(stack, run)


def _outcome(stack: LocalStackClient, run: RunView) -> RunOutcome:
    """What has become of a run, and what it used of AWS, by the history of its latest execution."""
    arn = stack.execution_arn(run.execution_name)
    used = parse_history(get_whole_history(boto3.client("stepfunctions"), arn))
    repository = stack.repository
    ledger = repository.get_ledger(run.run_id)
    lambda_client = boto3.client("lambda")
    memory_mb = {
        name: lambda_client.get_function_configuration(FunctionName=name)["MemorySize"]
        for name in {each.function for each in used.invocations}
    }
    record = repository.get_run(run.run_id)
    dollars = cost.estimate_dollars(used, memory_mb, record, ledger, run.message)
    return RunOutcome(run, ledger, AwsUsage(used.transitions, dollars))
