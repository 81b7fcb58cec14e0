"""Step Functions: executions of the workflow, named after their runs, and their tasks that wait."""

import json
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from upcall import config
from upcall.domain.batch import Batch
from upcall.domain.errors import TransientError
from upcall.domain.execution import Execution
from upcall.domain.run import Run
from upcall.observability.logging import logger

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


def start_execution(run: Run) -> None:
    """Start the workflow on this attempt of a run, unless that was done before."""
    _start(config.state_machine_arn(), run.execution_name, {"run_id": run.run_id})


def start_batch_execution(batch: Batch) -> bool:
    """Start the workflow of batches on this attempt of a batch. Returns whether it is running now."""
    state = {"batch_id": batch.batch_id, "attempt": batch.attempt}
    return _start(config.batch_state_machine_arn(), batch.execution_name, state)


def stop_batch_execution(execution_name: str) -> None:
    """Stop the execution of a batch of that name, if there is one. Its Map starts no further line."""
    client = get_client()
    arn = execution_arn(config.batch_state_machine_arn(), execution_name)
    try:
        client.stop_execution(
            executionArn=arn, error="cancelled", cause="The batch was cancelled on request."
        )
    except client.exceptions.ExecutionDoesNotExist:
        return


def stop_execution(run: Run, error: str, cause: str) -> bool:
    """Stop the workflow on a run whose record has ended. Returns whether there is an execution.

    If Step Functions is not available, this is logged only: the workflow ends by itself when it finds the run
    ended, or cancelled upstream.
    """
    from botocore.exceptions import ClientError

    client = get_client()
    try:
        client.stop_execution(executionArn=_arn_of(run), error=error, cause=cause)
    except client.exceptions.ExecutionDoesNotExist:
        return False
    except ClientError:
        logger.warning("execution not stopped", run_id=run.run_id, exc_info=True)
    return True


def describe_execution(run: Run) -> Execution | None:
    """The execution of this attempt of a run; None if there is none."""
    return _describe(config.state_machine_arn(), run.execution_name)


def describe_batch_execution(batch: Batch) -> Execution | None:
    """The execution of this attempt of a batch; None if there is none."""
    return _describe(config.batch_state_machine_arn(), batch.execution_name)


def complete_task(task_token: str, output: Mapping[str, Any]) -> bool:
    """Complete a task that waits for its token. Returns False if it waits no longer.

    Then it was completed, its time is over, or its execution has ended. Raises TransientError.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    client = get_client()
    try:
        client.send_task_success(taskToken=task_token, output=json.dumps(output))
    except (
        client.exceptions.TaskTimedOut,
        client.exceptions.TaskDoesNotExist,
        client.exceptions.InvalidToken,
    ):
        return False
    except (BotoCoreError, ClientError) as error:
        raise TransientError(f"SendTaskSuccess: {type(error).__name__}") from None
    return True


def execution_arn(state_machine_arn: str, name: str) -> str:
    """The ARN of the execution of that name of a state machine."""
    return f"{state_machine_arn.replace(':stateMachine:', ':execution:')}:{name}"


def _start(state_machine_arn: str, name: str, state: Mapping[str, Any]) -> bool:
    """Start an execution. Returns whether it is running now."""
    client = get_client()
    try:
        client.start_execution(stateMachineArn=state_machine_arn, name=name, input=json.dumps(state))
    except client.exceptions.ExecutionAlreadyExists:  # it has ended; for a running one this call succeeds
        return False
    return True


def _describe(state_machine_arn: str, name: str) -> Execution | None:
    client = get_client()
    try:
        found = client.describe_execution(executionArn=execution_arn(state_machine_arn, name))
    except client.exceptions.ExecutionDoesNotExist:
        return None
    return Execution(
        name=name, status=found["status"], error=found.get("error", ""), cause=found.get("cause", "")
    )


def _arn_of(run: Run) -> str:
    return execution_arn(config.state_machine_arn(), run.execution_name)


@cache
def get_client() -> "SFNClient":
    """The client of Step Functions. Loads boto3, which is why the import waits until here."""
    import boto3

    return boto3.client("stepfunctions")
