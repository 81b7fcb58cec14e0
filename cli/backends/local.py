"""Runs on the laptop cloud: over its HTTP API, and from its table and workflow, which tell more."""

import time

import boto3
from rich.console import Console

from cli import cost
from cli.backends.base import (
    Fields,
    Outcome,
    Shown,
    Took,
)
from cli.backends.http_client import Api
from cli.backends.local_stack import Cloud, cloud, store
from cli.commands.run import announce, request
from cli.execution_history import Progress, events, progress
from cli.terminal.live_view import View
from upcall.domain.status import Status
from upcall.domain.views import RunSummary, RunView

LOOK_EVERY_SECONDS = 0.15


class Laptop:
    """The runs of the laptop cloud: the one that `upcall local` keeps up, or one of the command's own."""

    def run(self, prompt: str | None, fields: Fields, err: Console) -> Outcome:
        """Run a prompt, by default the summary of a sample page; shows each state that the run passes."""
        if prompt is not None:
            request(prompt, fields)  # bad input need not wait for a cloud
        with (
            err.status("Starting the laptop cloud") as status,
            cloud() as chosen,
            Api(chosen.addresses.api) as api,
        ):
            asked = request(prompt or f"Summarise {chosen.addresses.pages}/tides", fields)
            run_id = api.start(asked)
            status.stop()
            server = "emulator" if chosen.addresses.emulated else chosen.addresses.openai
            announce(err, run_id, server, asked)
            with View(err) as view:
                told = _follow(chosen, run_id, view)
            return _outcome(chosen, api.run(run_id), told)

    def retried(self, run_id: str, err: Console) -> Outcome:
        """Have a run tried again, and show each state that it passes."""
        with cloud() as chosen, Api(chosen.addresses.api) as api:
            execution = api.retry(run_id).execution_name
            with View(err) as view:
                told = _follow(chosen, execution, view)
            return _outcome(chosen, api.run(run_id), told)

    def listed(self, status: Status | None, limit: int) -> list[RunSummary]:
        """Runs of the table, newest first."""
        with store() as runs:
            return list(runs.list_runs(owner=None, status=status, limit=limit).runs)

    def shown(self, run_id: str) -> Shown:
        """A run as it stands in the table, with its ids upstream. Raises NotFound."""
        with store() as runs:
            run = runs.get_run(run_id)
            return Shown(run, runs.get_ledger(run_id), runs.get_message(run))

    def cancelled(self, run_id: str) -> RunView:
        """Cancel a run over the API, which calls it off upstream as well."""
        with cloud() as chosen, Api(chosen.addresses.api) as api:
            return api.cancel(run_id)


def _follow(chosen: Cloud, execution: str, view: View) -> Progress:
    workflows = boto3.client("stepfunctions")
    while True:
        told = progress(events(workflows, chosen.execution_arn(execution)))
        view.show(told)
        if told.ended:
            return told
        time.sleep(LOOK_EVERY_SECONDS)


def _outcome(chosen: Cloud, run: RunView, told: Progress) -> Outcome:
    ledger = chosen.store.get_ledger(run.run_id)
    functions = boto3.client("lambda")
    memory_mb = {
        name: functions.get_function_configuration(FunctionName=name)["MemorySize"]
        for name in {each.function for each in told.invocations}
    }
    dollars = cost.estimate(told, memory_mb, run, ledger, run.message)
    return Outcome(run, ledger, Took(told.transitions, dollars))
