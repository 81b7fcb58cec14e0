"""Cancels open runs by stopping their executions.

The end of an execution makes the function `close_run` record that the run was cancelled, cancel it upstream
and publish its final event. So nothing here needs the OpenAI key.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import boto3
from botocore.config import Config

from cli.control.stack_controls import StackControls
from upcall.aws.sqs import ended_execution_message
from upcall.aws.step_functions import execution_arn
from upcall.domain.errors import NotFound
from upcall.domain.execution import Execution
from upcall.domain.run import Run
from upcall.domain.stop import Scope

ERROR = "cancelled"
CAUSE = "An operator has stopped the runs."

THREADS = 8
RETRIES = Config(retries={"mode": "adaptive", "total_max_attempts": 10}, max_pool_connections=THREADS)
"""StopExecution is throttled at some hundred requests a second."""

PASSES = 4
PAUSE_SECONDS = 1.0
"""The index of open runs may be a moment behind: it is read again until it shows no further run."""


def cancel_open_runs(controls: StackControls, scope: Scope, name: str) -> int:
    """Cancel the open runs of a scope. Returns how many were found."""
    step_functions = boto3.client("stepfunctions", config=RETRIES)
    sqs = boto3.client("sqs", config=RETRIES)

    def cancel(run: Run) -> None:
        arn = execution_arn(controls.state_machine, run.execution_name)
        try:
            step_functions.stop_execution(executionArn=arn, error=ERROR, cause=CAUSE)
        except step_functions.exceptions.ExecutionDoesNotExist:
            execution = Execution(name=run.execution_name, status="ABORTED", error=ERROR, cause=CAUSE)
            sqs.send_message(
                QueueUrl=controls.ended_execution_queue,
                MessageBody=ended_execution_message(execution),
            )

    cancelled: set[str] = set()
    with ThreadPoolExecutor(THREADS) as threads:
        for number in range(PASSES):
            runs = [run for run in _open_runs(controls, scope, name) if run.execution_name not in cancelled]
            if number and not runs:
                break
            list(threads.map(cancel, runs))
            cancelled |= {run.execution_name for run in runs}
            time.sleep(PAUSE_SECONDS)
    return len(cancelled)


def _open_runs(controls: StackControls, scope: Scope, name: str) -> Iterator[Run]:
    soon = datetime.now(UTC) + timedelta(minutes=1)
    for run_id in controls.repository.list_open_runs(soon):
        try:
            run = controls.repository.get_run(run_id)
        except NotFound:
            continue
        of_scope = {"all": "", "caller": run.owner, "batch": run.batch_id}[scope] == name
        if of_scope and not run.ended:
            yield run
