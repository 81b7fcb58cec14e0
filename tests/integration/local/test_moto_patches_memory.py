"""The patches that free memory of moto. If a test fails, a new version of moto moved what is patched."""

import gc
import json
import uuid
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto.dynamodb.models.dynamo_type import Item
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.utils import TMP_THREADS
from support.waiting import wait_until

from local.moto_patches import memory
from local.stack import LocalStack
from upcall.aws.dynamodb import Table

pytestmark = pytest.mark.usefixtures("local_stack")

KEPT = 3


@pytest.fixture
def _few_histories() -> Iterator[None]:
    memory.free_ended_executions(KEPT)
    yield
    memory.free_ended_executions()


@pytest.fixture
def execute() -> Callable[[str], str]:
    """Executes a workflow of one Pass state to its end. It takes a name, and returns the execution's ARN."""
    client = boto3.client("stepfunctions")
    machine = client.create_state_machine(
        name=f"memory-{uuid.uuid4()}",
        definition=json.dumps({"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": True}}}),
        roleArn="arn:aws:iam::123456789012:role/memory",
    )["stateMachineArn"]

    def execute(name: str) -> str:
        arn = client.start_execution(stateMachineArn=machine, name=name, input='{"page": 1}')["executionArn"]
        wait_until(
            lambda: client.describe_execution(executionArn=arn)["status"] == "SUCCEEDED",
            "the end of the execution",
        )
        return arn

    return execute


def wait_until_freed(reference: "weakref.ref[Any]") -> bool:
    def is_freed() -> bool:
        gc.collect()
        return reference() is None

    return wait_until(is_freed, "the object is freed")


def test_a_version_of_an_item_is_freed_once_it_is_replaced(local_stack: LocalStack) -> None:
    """`BaseModel.__new__`, which lists each instance."""
    table, name = Table(local_stack.deployed.dynamodb, local_stack.deployed.table), uuid.uuid4().hex
    table.put(name, "RUN", {"number": 1})
    (version,) = [
        weakref.ref(each) for each in gc.get_objects() if type(each) is Item and each.hash_key.value == name
    ]

    table.put(name, "RUN", {"number": 2})

    assert wait_until_freed(version)
    assert (table.get(name, "RUN") or {})["number"] == 2


@pytest.mark.usefixtures("_few_histories")
def test_an_execution_that_ended_long_ago_has_its_output_but_no_history(
    execute: Callable[[str], str],
) -> None:
    """`ExecutionWorker._execution_logic`, which keeps the environment of the execution."""
    client = boto3.client("stepfunctions")
    first = uuid.uuid4().hex
    arn = execute(first)
    assert client.get_execution_history(executionArn=arn)["events"]
    environments = [
        weakref.ref(each)
        for each in gc.get_objects()
        if type(each) is Environment
        and each.states.context_object.context_object_data["Execution"]["Id"] == arn
    ]
    assert environments

    later = [execute(uuid.uuid4().hex) for _ in range(KEPT)]

    wait_until(
        lambda: client.get_execution_history(executionArn=arn)["events"] == [],
        "the history is no longer kept",
    )
    assert all(map(wait_until_freed, environments))
    shown = client.describe_execution(executionArn=arn)
    assert (shown["status"], json.loads(shown["output"])) == ("SUCCEEDED", {"page": 1})
    with pytest.raises(client.exceptions.ExecutionAlreadyExists):
        execute(first)
    client.stop_execution(executionArn=arn)
    assert client.describe_execution(executionArn=arn)["status"] == "SUCCEEDED"
    assert client.get_execution_history(executionArn=later[-1])["events"]


@pytest.mark.usefixtures("_few_histories")
def test_a_token_that_no_execution_waits_for_is_refused_beside_executions_without_data(
    execute: Callable[[str], str],
) -> None:
    """`StepFunctionsParserBackend._get_executions`, whose executions are asked for the token."""
    client = boto3.client("stepfunctions")
    for _ in range(KEPT + 1):
        execute(uuid.uuid4().hex)

    with pytest.raises(client.exceptions.InvalidToken):
        client.send_task_failure(taskToken=uuid.uuid4().hex, error="Failed", cause="So.")


def test_threads_of_tasks_are_freed(execute: Callable[[str], str]) -> None:
    """`TMP_THREADS`, to which each execution and each task appends its threads."""
    for _ in range(3):
        execute(uuid.uuid4().hex)

    wait_until(lambda: not [each for each in TMP_THREADS if not each.is_alive()], "threads are freed")
