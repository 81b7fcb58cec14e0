"""Data of the stack, such as the inbox, is read for events, and for callers if the stack has one tenant."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

import pytest
from support.function_changes import function_changes
from support.run_records import new_run
from support.runs import Runs

from local.openai_emulator import Call, CallTools, Say
from local.stack import LocalStack
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.caller import EVENTS

READ_OBJECT = CallTools((Call.of("read_object", key="of/another.txt"),))


@contextmanager
def tenancy(local_stack: LocalStack, value: str) -> Iterator[None]:
    """Tell all functions whether the stack has one tenant or many."""
    with ExitStack() as changes:
        for logical_id, function in local_stack.deployed.functions.items():
            if "TENANCY" in function.environment:
                changes.enter_context(
                    function_changes(local_stack, logical_id, environment={"TENANCY": value})
                )
        yield


@pytest.mark.parametrize("api", ["responses", "assistants", "agents"])
@pytest.mark.parametrize(
    ("one_or_many", "owner", "tools"),
    [
        ("many", "ann", ("fetch",)),
        ("many", EVENTS, ("fetch", "read_object")),
        ("one", "ann", ("fetch", "read_object")),
    ],
)
def test_no_caller_of_many_can_read_the_inbox(
    local_stack: LocalStack,
    runs: Runs,
    repository: DynamoDBRunRepository,
    api: str,
    one_or_many: str,
    owner: str,
    tools: tuple[str, ...],
) -> None:
    """No turn offers the tool to the model. If the model calls it all the same, the call is rejected."""
    model = local_stack.emulator.script(READ_OBJECT, Say("Done."))
    run = repository.add_run(new_run(owner=owner, model=model, run_api=api, created_at=datetime.now(UTC)))
    with tenancy(local_stack, one_or_many):
        runs.start_execution(run.run_id)
        assert runs.wait_for_execution(run.run_id)["status"] == "SUCCEEDED"

    conversations = local_stack.emulator.models.conversations[model]
    assert [conversation.tools for conversation in conversations] == [tools, tools]
    (entry,) = repository.get_ledger(run.run_id)
    rejected = "There is no tool read_object. There is: fetch." in entry.output.output
    assert rejected == ("read_object" not in tools)
