"""Runs that nothing works on any more are found, and go on or are closed."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from support.sample_events import Invoke, sample

from local.openai_emulator import Hang, Say, Step
from local.stack import LocalStack
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.aws.step_functions import execution_arn
from upcall.domain.caller import ANYBODY
from upcall.domain.run import Run
from upcall.use_cases.sweep_runs import MIN_AGE

PATIENCE_SECONDS = 20


@pytest.fixture
def old(laptop: LocalStack, store: DynamoDBRunRepository) -> Any:
    """Make the record of a run that was asked for a while ago, and that nothing works on."""

    def make(step: Step, age: timedelta = 2 * MIN_AGE) -> Run:
        model = laptop.emulator.script(step)
        run = Run.new(
            owner=ANYBODY,
            prompt="Go.",
            assistant="summarizer",
            model=model,
            run_api="responses",
            created_at=datetime.now(UTC),
        )
        then = datetime.now(UTC) - age
        run_id = f"run_{int(then.timestamp() * 1000):012x}{run.run_id[16:]}"
        return store.add_run(run.model_copy(update={"run_id": run_id, "created_at": then}))

    return make


def wait_for(store: DynamoDBRunRepository, run_id: str, status: str) -> Run:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (run := store.get_run(run_id)).status != status:
        assert time.monotonic() < deadline, f"{run_id} is {run.status}"
        time.sleep(0.05)
    return run


def test_a_run_that_was_recorded_and_never_started_is_resumed(
    invoke: Invoke, store: DynamoDBRunRepository, old: Any
) -> None:
    run = old(Say("Better late than never."))

    assert invoke("SweepRunsFunction", sample("sweep_runs"))["resumed"] >= 1

    assert store.get_message(wait_for(store, run.run_id, "completed")) == "Better late than never."


def test_a_run_whose_execution_has_ended_is_closed(
    invoke: Invoke, laptop: LocalStack, store: DynamoDBRunRepository, old: Any
) -> None:
    run = old(Hang())
    workflows = boto3.client("stepfunctions")
    definition = {"StartAt": "Wait", "States": {"Wait": {"Type": "Fail", "Error": "Lost", "Cause": "Gone."}}}
    before = workflows.describe_state_machine(stateMachineArn=laptop.stack.state_machine)["definition"]
    workflows.update_state_machine(
        stateMachineArn=laptop.stack.state_machine, definition=json.dumps(definition)
    )
    workflows.start_execution(
        stateMachineArn=laptop.stack.state_machine, name=run.run_id, input=json.dumps({"run_id": run.run_id})
    )
    workflows.update_state_machine(stateMachineArn=laptop.stack.state_machine, definition=before)

    closed = wait_for(store, run.run_id, "failed")

    assert closed.failure is not None
    assert (closed.failure.code, closed.failure.message) == ("Lost", "The execution failed. Gone.")


def test_a_young_run_is_left_alone(invoke: Invoke, store: DynamoDBRunRepository, old: Any) -> None:
    run = old(Say("Too early."), MIN_AGE / 2)

    invoke("SweepRunsFunction", sample("sweep_runs"))

    assert store.get_run(run.run_id).status == "queued"


def test_a_run_that_is_being_worked_on_is_left_alone(
    invoke: Invoke, laptop: LocalStack, store: DynamoDBRunRepository, old: Any
) -> None:
    run = old(Hang())
    workflows = boto3.client("stepfunctions")
    arn = laptop.stack.state_machine
    workflows.start_execution(stateMachineArn=arn, name=run.run_id, input=json.dumps({"run_id": run.run_id}))
    wait_for(store, run.run_id, "in_progress")

    invoke("SweepRunsFunction", sample("sweep_runs"))

    execution = workflows.describe_execution(executionArn=execution_arn(arn, run.run_id))
    assert execution["status"] == "RUNNING"
    workflows.stop_execution(executionArn=execution_arn(arn, run.run_id))
    wait_for(store, run.run_id, "cancelled")
