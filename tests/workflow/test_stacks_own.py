"""What is the stack's own, such as the inbox, is read for events, and for callers where all are one tenant."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from support.runs import Runs

from local.openai_emulator import Call, CallTools, Say
from local.stack import LocalStack
from upcall.aws.dynamodb import Table
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.caller import EVENTS
from upcall.domain.run import Run

Tenancy = Callable[[str], None]

READ = CallTools((Call.of("read_object", key="of/another.txt"),))


@pytest.fixture
def tenancy(laptop: LocalStack) -> Iterator[Tenancy]:
    """Say how many tenants the functions are to believe that there are."""
    functions = [each for each in laptop.runner.functions.values() if "TENANCY" in each.environment]

    def to_be(many_or_one: str) -> None:
        for each in functions:
            each.environment["TENANCY"] = many_or_one  # type: ignore[index]

    yield to_be
    to_be("one")


@pytest.mark.parametrize("api", ["responses", "assistants", "agents"])
@pytest.mark.parametrize(
    ("many_or_one", "owner", "tools"),
    [
        ("many", "ann", ("fetch",)),
        ("many", EVENTS, ("fetch", "read_object")),
        ("one", "ann", ("fetch", "read_object")),
    ],
)
def test_of_many_callers_none_has_the_inbox_read(
    laptop: LocalStack,
    runs: Runs,
    tenancy: Tenancy,
    api: str,
    many_or_one: str,
    owner: str,
    tools: tuple[str, ...],
) -> None:
    """The model is not told of the tool, in no turn, and a model that asks for it all the same is refused."""
    tenancy(many_or_one)
    store = DynamoDBRunRepository(Table(laptop.stack.dynamodb, laptop.stack.table), 30)
    model = laptop.emulator.script(READ, Say("Done."))
    run = store.add_run(
        Run.new(
            owner=owner,
            prompt="Go.",
            assistant="summarizer",
            model=model,
            run_api=api,
            created_at=datetime.now(UTC),
        )
    )
    runs.start_execution(run.run_id)
    assert runs.ended_execution(run.run_id)["status"] == "SUCCEEDED"

    assert [heard.tools for heard in laptop.emulator.brain.heard[model]] == [tools, tools]
    (entry,) = store.get_ledger(run.run_id)
    refused = "There is no tool read_object. There is: fetch." in entry.output.output
    assert refused == ("read_object" not in tools)
