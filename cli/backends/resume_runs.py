"""Resumes the runs of a local stack that was just started: their executions have ended with the last one."""

import json
from datetime import UTC, datetime, timedelta

import boto3

from cli.backends.local_stack import LocalStackClient
from local.config import Endpoints


def resume_open_runs(endpoints: Endpoints) -> int:
    """Start the executions of all open runs again, as the sweeper would in some minutes. Returns how many.

    Expects boto3's environment to point at the stack.
    """
    step_functions = boto3.client("stepfunctions")
    repository = LocalStackClient(endpoints).repository
    run_ids = list(repository.list_open_runs(datetime.now(UTC) + timedelta(minutes=1)))
    for run_id in run_ids:
        step_functions.start_execution(
            stateMachineArn=endpoints.state_machine,
            name=repository.get_run(run_id).execution_name,
            input=json.dumps({"run_id": run_id}),
        )
    return len(run_ids)
