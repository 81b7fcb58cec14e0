"""The one owner of Step Functions: a run's executions bear the run's id in their names."""

import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from upcall import settings
from upcall.log import logger
from upcall.run import Run

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


@dataclass(frozen=True)
class ExecutionEnd:
    """How an execution stands, in Step Functions' words, and why it ended if it did."""

    status: str
    error: str
    cause: str


def start_execution(run: Run) -> None:
    """Start the workflow on a run, unless it was started on this attempt of it before."""
    workflows = _client()
    try:
        workflows.start_execution(
            stateMachineArn=settings.state_machine_arn(),
            name=run.execution,
            input=json.dumps({"run_id": run.run_id}),
        )
    except workflows.exceptions.ExecutionAlreadyExists:  # and has ended: while it runs, nothing is said
        return


def stop_execution(run: Run, error: str, cause: str) -> bool:
    """Stop the workflow on a run whose record has ended. Whether there is one.

    Where Step Functions is not ready that is logged: the workflow ends by itself when it finds the run
    ended, or cancelled upstream.
    """
    from botocore.exceptions import ClientError

    arn = execution_arn(settings.state_machine_arn(), run.execution)
    try:
        _client().stop_execution(executionArn=arn, error=error, cause=cause)
    except _client().exceptions.ExecutionDoesNotExist:
        return False
    except ClientError:
        logger.warning("execution not stopped", run_id=run.run_id, exc_info=True)
    return True


def execution_end(run: Run) -> ExecutionEnd | None:
    """How a run's newest execution stands; None where there is none."""
    workflows = _client()
    arn = execution_arn(settings.state_machine_arn(), run.execution)
    try:
        found = workflows.describe_execution(executionArn=arn)
    except workflows.exceptions.ExecutionDoesNotExist:
        return None
    return ExecutionEnd(found["status"], found.get("error", ""), found.get("cause", ""))


def execution_arn(state_machine_arn: str, name: str) -> str:
    """The ARN of the execution of that name on a workflow."""
    return f"{state_machine_arn.replace(':stateMachine:', ':execution:')}:{name}"


@cache
def _client() -> "SFNClient":
    import boto3

    return boto3.client("stepfunctions")
