"""Fixtures of all tests that need the local stack. Nothing of it is imported before a test asks for it.

The tests of a process share one local stack and do not disturb each other: each makes its own runs, and scripts
a model of its own for them.
"""

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.batches import Batches
    from support.event_listener import EventListener
    from support.runs import Runs
    from support.sample_events import Invoke
    from support.used_permissions import UsedPermissions

    from local.stack import LocalStack
    from upcall.aws.run_repository import DynamoDBRunRepository


@pytest.fixture(scope="session")
def used_permissions() -> "UsedPermissions":
    """The AWS actions that each function of the local stack has used in all tests so far."""
    from support.used_permissions import UsedPermissions

    return UsedPermissions()


@pytest.fixture(scope="session")
def local_stack(
    tmp_path_factory: pytest.TempPathFactory,
    used_permissions: "UsedPermissions",  # it has to exist before the first boto3 client does
) -> "Iterator[LocalStack]":
    """A local stack whose model answers at once, and whose workflows hardly wait."""
    from support.fast_stack import fast_stack

    with fast_stack(tmp_path_factory.mktemp("state")) as started:
        yield started


@pytest.fixture(scope="session")
def event_listener(local_stack: "LocalStack") -> "Iterator[EventListener]":
    """The events that the local stack publishes."""
    from support.event_listener import EventListener

    with EventListener(local_stack.deployed.bus) as listener:
        yield listener


@pytest.fixture(scope="session")
def invoke(local_stack: "LocalStack") -> "Invoke":
    """Invoke a function by its logical id, as Lambda would. Raises FunctionError."""
    from support.sample_events import FunctionError

    def call(logical_id: str, event: dict[str, Any]) -> Any:
        name = local_stack.deployed.functions[logical_id].name
        result = local_stack.runner.invoke(name, json.dumps(event))
        payload = json.loads(result.payload)
        if result.is_error:
            raise FunctionError(payload)
        return payload

    return call


@pytest.fixture(scope="session")
def repository(local_stack: "LocalStack") -> "DynamoDBRunRepository":
    """The runs of the local stack."""
    from upcall.aws.dynamodb import Table
    from upcall.aws.run_repository import DynamoDBRunRepository

    return DynamoDBRunRepository(Table(local_stack.deployed.dynamodb, local_stack.deployed.table), 30)


@pytest.fixture(scope="session")
def runs(local_stack: "LocalStack", event_listener: "EventListener") -> "Iterator[Runs]":
    """Runs on the local stack."""
    from support.runs import Runs

    with Runs(local_stack, event_listener) as session:
        yield session


@pytest.fixture(scope="session")
def batches(local_stack: "LocalStack", runs: "Runs") -> "Batches":
    """Batches on the local stack."""
    from support.batches import Batches

    return Batches(local_stack, runs)
