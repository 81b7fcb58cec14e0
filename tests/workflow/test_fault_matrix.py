"""Whatever befalls a Task of the workflow, its run ends once, with its message or with a reason, and is announced.

The runs go through the real definition but for its patience: pauses between tries are a second at most, there are two
tries where there are seven, and a poll's window is a third of a second.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from support.canned_server import Server, canned
from support.event_listener import EventListener
from support.fault_matrix import CASES, Case, document
from support.lambda_faults import (
    STRANGE,
    FaultyEventBridge,
    FaultyLambda,
    Malformed,
)
from support.runs import Runs
from support.workflow_definition import TASKS, is_lambda, tasks
from werkzeug.wrappers import Response

from local.config import CALLBACK_SECRET_NAME, ROOT
from local.lambda_runtime import FunctionRunner, function_environment
from local.moto_patches import integration
from local.stack import LocalStack
from upcall.aws.dynamodb import Table
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.caller import ANYBODY
from upcall.domain.run import Run
from upcall.domain.status import TERMINAL_STATUSES
from upcall.run_apis import get_run_api

PATIENCE_SECONDS = 15

HASTE = {"IntervalSeconds": 1, "BackoffRate": 1, "MaxDelaySeconds": 1, "MaxAttempts": 1}


@pytest.fixture(scope="module")
def hasty(laptop: LocalStack) -> Iterator[None]:
    """The workflow with less patience."""
    workflows, arn = boto3.client("stepfunctions"), laptop.stack.state_machine
    before = workflows.describe_state_machine(stateMachineArn=arn)["definition"]
    definition = json.loads(before)
    for _, state in tasks(definition):
        for rule in state["Retry"]:
            rule.update(HASTE)
    workflows.update_state_machine(stateMachineArn=arn, definition=json.dumps(definition))
    yield
    workflows.update_state_machine(stateMachineArn=arn, definition=before)


@dataclass
class World:
    """A laptop cloud on a bad day, and those who watch it."""

    laptop: LocalStack
    functions: FaultyLambda
    bus: FaultyEventBridge
    webhook: Server
    ear: EventListener
    store: DynamoDBRunRepository
    runs: Runs
    sqs: Any

    def ends_waiting(self) -> int:
        """How many ends of executions close_run has not dealt with."""
        found = self.sqs.get_queue_attributes(
            QueueUrl=self.laptop.stack.physical["EndedExecutionQueue"],
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )
        return sum(map(int, found["Attributes"].values()))


@pytest.fixture(scope="module")
def world(laptop: LocalStack, hasty: None) -> Iterator[World]:
    """The laptop cloud, with faults before its functions and its bus, and with a webhook that counts."""
    with canned(Response(status=204)) as webhook:
        found = laptop.runner.functions
        notify = found["upcall-tool-notify"]
        variables = {"WEBHOOK_URL": webhook.url, "WEBHOOK_SECRET_NAME": CALLBACK_SECRET_NAME}
        ringing = replace(notify, environment={**notify.environment, **variables})
        poll = laptop.stack.functions["PollRunFunction"]
        hurried = replace(poll, environment={**poll.environment, "POLL_WINDOW_SECONDS": "0.3"})
        hasty_ones = {notify.name: ringing, poll.name: hurried}
        functions, bus = FaultyLambda(FunctionRunner({**found, **hasty_ones})), FaultyEventBridge()
        ear = EventListener(laptop)
        integration.invoke_with(functions)
        store = DynamoDBRunRepository(Table(laptop.stack.dynamodb, laptop.stack.table), 30)
        with bus.instead():
            yield World(laptop, functions, bus, webhook, ear, store, Runs(laptop), boto3.client("sqs"))
        integration.invoke_with(laptop.runner)
        ear.stop()


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_a_run_ends_once_whatever_befalls_it(world: World, case: Case) -> None:
    model = world.laptop.emulator.script(*case.steps)
    run = Run.new(
        owner=ANYBODY,
        prompt="Go.",
        assistant="messenger",
        model=model,
        run_api=case.api,
        created_at=datetime.now(UTC),
    )
    plan(world, run.run_id, case)
    waiting = world.ends_waiting()

    world.store.add_run(run)
    world.runs.start_execution(run.run_id)
    world.ear.about(run.run_id)  # which waits without asking all the time
    world.runs.ended_execution(run.run_id)
    until(lambda: world.ends_waiting() <= waiting, "close_run has not heard of all ends")

    ended = world.store.get_run(run.run_id)
    assert not world.functions.unspent(run.run_id), "the fault has not happened"
    assert ended.status == case.status, ended.failure
    died = not world.runs.times_in_state(run.run_id, "Completed?")
    assert case.closed in (None, died)
    assert_one_ending(world, ended)
    assert_one_announcement(world, ended, case)
    assert_once(world, ended)
    assert_nothing_goes_on(world, ended)


def plan(world: World, run_id: str, case: Case) -> None:
    """Have it happen; and the run fail before, where the state is one for runs that fail."""
    if isinstance(case.fault, str):
        world.bus.plan(run_id, case.fault, case.when, always=case.always)
        return
    if case.state == "Record failure":
        fault = STRANGE if isinstance(case.fault, Malformed) else case.fault
        world.functions.plan(run_id, name_of(world.laptop, "Poll run"), fault, "before", always=True)
    world.functions.plan(run_id, name_of(world.laptop, case.state), case.fault, case.when, always=case.always)


def name_of(laptop: LocalStack, state: str) -> str:
    """What the name of the state's function holds, as the definition tells it."""
    told = str(dict(TASKS)[state]["Arguments"]["FunctionName"])
    if "ToolFunctionArnPrefix" in told:
        return "-tool-"
    return laptop.stack.functions[told.removesuffix("Arn")].name


def until(holds: Any, words: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, words
        time.sleep(0.02)


def assert_one_ending(world: World, run: Run) -> None:
    """A message, whole and once; or a failure with a reason."""
    assert run.ended_at is not None
    parts = list(world.store._items(run.run_id, "MESSAGE#"))
    if run.status == "completed":
        assert run.failure is None
        assert world.store.get_message(run) == "Done."
        assert len(parts) == run.message_parts == 1
    else:
        assert run.failure is not None
        assert run.failure.code
        assert world.store.get_message(run) is None


def assert_one_announcement(world: World, run: Run, case: Case) -> None:
    """One; where the bus took it and its answer was lost, the same one again."""
    world.ear.about(run.run_id)
    told = world.ear.about(run.run_id, all_there_are=True)
    if not (case.state == "Announce" and case.when == "after"):
        assert len(told) == 1
    assert {(each["detail"]["status"], each["detail-type"]) for each in told} == {
        (run.status, "Run Completed" if run.status == "completed" else "Run Failed")
    }


def assert_once(world: World, run: Run) -> None:
    """The tool whose effect is there once was called at most once; the ledger has each call once."""
    calls = [asked for asked in world.webhook.asked if asked.json["data"]["run_id"] == run.run_id]
    ledger = world.store.get_ledger(run.run_id)
    assert len(calls) <= 1
    assert len(ledger) == run.tool_calls == run.round <= 1
    if ledger and ledger[0].output.outcome == "ok":
        assert len(calls) == 1


def assert_nothing_goes_on(world: World, run: Run) -> None:
    """Every turn of the model has come to its end, and the server waits for nothing."""
    turns = world.laptop.emulator.brain.begun.get(run.model, [])
    until(lambda: all(turn.phase in ("done", "cancelled") for turn in turns), "it goes on upstream")
    if run.upstream_run is None:
        assert not turns
        return
    handle = run.upstream_run
    with function_environment(world.laptop.stack.functions["PollRunFunction"].environment):
        waits = ("requires_action",) if run.run_api == "responses" else ()  # a response that has ended
        until(
            lambda: get_run_api(handle.run_api).poll(handle).status in (*TERMINAL_STATUSES, *waits),
            "it waits for us",
        )


def test_every_task_has_its_rows() -> None:
    assert {case.state for case in CASES} == {name for name, _ in TASKS}
    assert {case.state for case in CASES if case.api == "agents"} == {
        name for name, state in TASKS if is_lambda(state)
    }


def test_the_page_about_it_is_the_matrix_that_is_gone_through() -> None:
    written = (ROOT / "docs" / "fault-matrix.md").read_text("utf-8")
    assert written == document(), "run `make fault-matrix`"
