"""Runs on the local stack: started over its HTTP API, followed in the history of their executions."""

import time

import boto3
from rich.console import Console

from cli import cost
from cli.backends.api_client import ApiClient
from cli.backends.base import AwsUsage, RequestFields, RunDetails, RunOutcome, build_run_request
from cli.backends.local_stack import LocalStackClient, connect_or_start, open_repository
from cli.execution_history import RunProgress, get_history, parse_history
from cli.terminal.live_view import LiveView
from cli.terminal.run_output import print_started
from upcall.domain.status import Status
from upcall.domain.views import RunSummary, RunView

POLL_INTERVAL_SECONDS = 0.15


class LocalBackend:
    """Implements Backend with the running local stack, or with a new one for each command."""

    def start_and_follow(self, prompt: str | None, fields: RequestFields, err: Console) -> RunOutcome:
        """See Backend. Without a prompt, summarises a sample page."""
        if prompt is not None:
            build_run_request(prompt, fields)  # report invalid input before a stack is started
        with (
            err.status("Starting the local stack") as status,
            connect_or_start() as stack,
            ApiClient(stack.endpoints.api) as api,
        ):
            request = build_run_request(prompt or f"Summarise {stack.endpoints.pages}/tides", fields)
            run_id = api.start_run(request)
            status.stop()
            server = "emulator" if stack.endpoints.emulated else stack.endpoints.openai
            print_started(err, run_id, server, request)
            progress = _follow_execution(stack, run_id, err)
            return _outcome(stack, api.get_run(run_id), progress)

    def retry_and_follow(self, run_id: str, err: Console) -> RunOutcome:
        """See Backend."""
        with connect_or_start() as stack, ApiClient(stack.endpoints.api) as api:
            execution_name = api.retry_run(run_id).execution_name
            progress = _follow_execution(stack, execution_name, err)
            return _outcome(stack, api.get_run(run_id), progress)

    def list_runs(self, status: Status | None, limit: int) -> list[RunSummary]:
        """See Backend. Reads the table."""
        with open_repository() as repository:
            return list(repository.list_runs(owner=None, status=status, limit=limit).runs)

    def get_run(self, run_id: str) -> RunDetails:
        """See Backend. Reads the table, which has the upstream ids as well."""
        with open_repository() as repository:
            run = repository.get_run(run_id)
            return RunDetails(run, repository.get_ledger(run_id), repository.get_message(run))

    def cancel_run(self, run_id: str) -> RunView:
        """See Backend. Uses the API, which also cancels the run upstream."""
        with connect_or_start() as stack, ApiClient(stack.endpoints.api) as api:
            return api.cancel_run(run_id)


def _follow_execution(stack: LocalStackClient, execution_name: str, err: Console) -> RunProgress:
    """Show the progress of an execution until it has ended."""
    step_functions = boto3.client("stepfunctions")
    arn = stack.execution_arn(execution_name)
    with LiveView(err) as view:
        while True:
            progress = parse_history(get_history(step_functions, arn))
            view.update(progress)
            if progress.ended:
                return progress
            time.sleep(POLL_INTERVAL_SECONDS)


def _outcome(stack: LocalStackClient, run: RunView, progress: RunProgress) -> RunOutcome:
    repository = stack.repository
    ledger = repository.get_ledger(run.run_id)
    lambda_client = boto3.client("lambda")
    memory_mb = {
        name: lambda_client.get_function_configuration(FunctionName=name)["MemorySize"]
        for name in {each.function for each in progress.invocations}
    }
    record = repository.get_run(run.run_id)
    dollars = cost.estimate_dollars(progress, memory_mb, record, ledger, run.message)
    return RunOutcome(run, ledger, AwsUsage(progress.transitions, dollars))
