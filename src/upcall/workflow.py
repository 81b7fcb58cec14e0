"""The one owner of Step Functions: a run's execution bears the run's id as its name."""

import contextlib
import json
from functools import cache
from typing import TYPE_CHECKING

import boto3

from upcall import settings

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


def start_execution(run_id: str) -> None:
    """Start the workflow on a run."""
    _client().start_execution(
        stateMachineArn=settings.state_machine_arn(),
        name=run_id,
        input=json.dumps({"run_id": run_id}),
    )


def stop_execution(run_id: str) -> None:
    """Stop the workflow on a run; an execution that is not there any more is none to stop."""
    machine = settings.state_machine_arn()
    arn = f"{machine.replace(':stateMachine:', ':execution:')}:{run_id}"
    with contextlib.suppress(_client().exceptions.ExecutionDoesNotExist):
        _client().stop_execution(executionArn=arn, error="cancelled", cause="Cancelled on request.")


@cache
def _client() -> "SFNClient":
    return boto3.client("stepfunctions")
