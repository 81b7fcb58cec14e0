"""The stack whose runs an operator controls, with the operator's AWS credentials."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from cli.backends.local_stack import RETENTION_DAYS, connect_to_running
from cli.doctor.deployed_stack import DeployedStack, describe_error, find_stack
from cli.errors import CommandError
from local.config import STACK_NAME
from upcall.aws.control_items import ControlItems
from upcall.aws.dynamodb import Table
from upcall.aws.run_repository import DynamoDBRunRepository


@dataclass(frozen=True)
class StackControls:
    """The names of what is controlled: queues by their URLs, the workflow by its ARN."""

    items: ControlItems
    repository: DynamoDBRunRepository
    state_machine: str
    request_queue: str
    ended_execution_queue: str


@contextmanager
def open_controls(stack: str | None) -> Iterator[StackControls]:
    """The deployed stack of that name, otherwise the running local stack.

    Raises CommandError for all errors of AWS meanwhile.
    """
    if stack is not None and "://" in stack:
        raise CommandError("--stack must be the name of a stack: its table is found in CloudFormation")
    try:
        if stack is not None:
            yield _describe(find_stack(stack))
        else:
            with connect_to_running():
                yield _describe(find_stack(STACK_NAME))
    except ClientError as error:
        service = error.response.get("Error", {}).get("Code", "")
        raise CommandError(describe_error(f"AWS ({service})", error)) from None
    except BotoCoreError as error:
        raise CommandError(f"AWS cannot be called: {error}") from None


def _describe(stack: DeployedStack) -> StackControls:
    def identifier(logical_id: str) -> str:
        if logical_id not in stack.resources:
            raise CommandError(f"the stack {stack.name} has no {logical_id}: it is not a stack of Upcall")
        return stack.resources[logical_id].id

    table = Table(boto3.client("dynamodb"), identifier("RunTable"))
    return StackControls(
        items=ControlItems(table),
        repository=DynamoDBRunRepository(table, RETENTION_DAYS),
        state_machine=stack.outputs["StateMachineArn"],
        request_queue=identifier("RequestQueue"),
        ended_execution_queue=identifier("EndedExecutionQueue"),
    )
