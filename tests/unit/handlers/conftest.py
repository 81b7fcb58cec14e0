"""Runs in the states in which the workflow hands them to a handler."""

from datetime import UTC, datetime

import pytest
from support.sample_events import Invoke, Recorded, sample

from local.openai_emulator import Say, Step
from local.stack import LocalStack
from upcall.aws.dynamodb import Table
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.caller import ANYBODY
from upcall.domain.run import Run


@pytest.fixture
def store(laptop: LocalStack) -> DynamoDBRunRepository:
    """The table of the laptop cloud."""
    return DynamoDBRunRepository(Table(laptop.stack.dynamodb, laptop.stack.table), 30)


@pytest.fixture
def recorded(laptop: LocalStack, store: DynamoDBRunRepository) -> Recorded:
    """Make the record of a run that follows a script, without starting the workflow on it."""

    def make(*steps: Step) -> Run:
        model = laptop.emulator.script(*(steps or (Say("Done."),)))
        run = Run.new(
            owner=ANYBODY,
            prompt="Go.",
            assistant="summarizer",
            model=model,
            run_api="responses",
            created_at=datetime.now(UTC),
        )
        store.add_run(run)
        return run

    return make


@pytest.fixture
def created(recorded: Recorded, store: DynamoDBRunRepository, invoke: Invoke) -> Recorded:
    """Make a run that lives upstream, and wait until the model has done its first step."""

    def make(*steps: Step) -> Run:
        run = recorded(*steps)
        made = invoke("CreateRunFunction", sample("create_run", run_id=run.run_id))
        invoke("PollRunFunction", sample("poll_run", run_id=run.run_id, handle=made["handle"]))
        return store.get_run(run.run_id)

    return make
