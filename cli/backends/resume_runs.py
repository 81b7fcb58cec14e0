"""Resumes the work of a local stack that was just started: its executions have ended with the last one."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

from cli.backends.local_stack import LocalStackClient
from local.config import Endpoints


def resume_runs_and_batches(endpoints: Endpoints) -> None:
    """Start the executions of all open runs and batches again, as the sweepers would in some minutes.

    Expects boto3's environment to point at the stack.
    """
    stack = LocalStackClient(endpoints)
    created_before = datetime.now(UTC) + timedelta(minutes=1)
    runs, batches = stack.repository, stack.batch_repository
    for run_id in list(runs.list_open_runs(created_before)):
        run = runs.get_run(run_id)
        _start_execution(endpoints.state_machine, run.execution_name, {"run_id": run_id})
    for batch_id in list(batches.list_open_batches(created_before)):
        batch = batches.get_batch(batch_id)
        state = {"batch_id": batch_id, "attempt": batch.attempt}
        _start_execution(endpoints.batch_state_machine, batch.execution_name, state)


def _start_execution(state_machine_arn: str, name: str, state: dict[str, Any]) -> None:
    boto3.client("stepfunctions").start_execution(
        stateMachineArn=state_machine_arn, name=name, input=json.dumps(state)
    )
