"""Runs that no execution works on are resumed or closed. The workflow, the queue and the table are real."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from support.event_listener import EventListener
from support.run_records import new_run
from support.runs import Runs
from support.sample_events import Invoke, sample_event

from local.openai_emulator import Hang, Say, Step
from local.stack import LocalStack
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.run import Run
from upcall.use_cases.sweep_runs import MIN_AGE

AddRun = Callable[..., Run]


@pytest.fixture
def add_run(local_stack: LocalStack, repository: DynamoDBRunRepository) -> AddRun:
    """Record a run of some age without starting its execution; its model takes that step."""

    def add(step: Step, age: timedelta = 2 * MIN_AGE) -> Run:
        model = local_stack.emulator.script(step)
        return repository.add_run(new_run(model=model, created_at=datetime.now(UTC) - age))

    return add


def test_a_run_that_was_recorded_and_never_started_is_resumed_and_completes(
    invoke: Invoke, runs: Runs, repository: DynamoDBRunRepository, add_run: AddRun
) -> None:
    run = add_run(Say("Better late than never."))

    assert invoke("SweepRunsFunction", sample_event("sweep_runs"))["resumed"] >= 1

    runs.wait_for_execution(run.run_id)
    assert repository.get_message(repository.get_run(run.run_id)) == "Better late than never."


def test_a_run_whose_execution_has_ended_is_closed(
    invoke: Invoke,
    local_stack: LocalStack,
    runs: Runs,
    repository: DynamoDBRunRepository,
    event_listener: EventListener,
    add_run: AddRun,
) -> None:
    """The workflow has another definition meanwhile: one that fails without a record."""
    run = add_run(Hang())
    workflows = boto3.client("stepfunctions")
    arn = local_stack.deployed.state_machine
    failing = {"StartAt": "Fail", "States": {"Fail": {"Type": "Fail", "Error": "Lost", "Cause": "Gone."}}}
    definition = workflows.describe_state_machine(stateMachineArn=arn)["definition"]
    workflows.update_state_machine(stateMachineArn=arn, definition=json.dumps(failing))
    runs.start_execution(run.run_id)
    workflows.update_state_machine(stateMachineArn=arn, definition=definition)

    event_listener.wait_for_events(run.run_id)

    closed = repository.get_run(run.run_id)
    assert closed.failure is not None
    assert (closed.failure.code, closed.failure.message) == ("Lost", "The execution failed. Gone.")


def test_a_young_run_is_left_alone(
    invoke: Invoke, repository: DynamoDBRunRepository, add_run: AddRun
) -> None:
    run = add_run(Say("Too early."), MIN_AGE / 2)

    invoke("SweepRunsFunction", sample_event("sweep_runs"))

    assert repository.get_run(run.run_id).status == "queued"


def test_a_run_that_is_worked_on_is_left_alone(
    invoke: Invoke,
    runs: Runs,
    repository: DynamoDBRunRepository,
    event_listener: EventListener,
    add_run: AddRun,
) -> None:
    run = add_run(Hang())
    runs.start_execution(run.run_id)
    runs.wait_for_state(run.run_id, "Poll run")

    invoke("SweepRunsFunction", sample_event("sweep_runs"))

    assert runs.describe_execution(run.run_id)["status"] == "RUNNING"
    runs.stop_execution(run.run_id)
    event_listener.wait_for_events(run.run_id)
    assert repository.get_run(run.run_id).status == "cancelled"
