"""Whatever fault happens in a Task of the workflow, the run ends once, with its message or a failure."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from support.event_listener import EventListener
from support.fast_stack import pushed_runs
from support.fault_matrix import CASES, STATES, Case, page
from support.function_changes import function_changes
from support.lambda_faults import FUNCTION_ERROR, THROTTLED, FaultyLambda, MalformedResult
from support.notifications import Notifications, received_notifications
from support.run_records import new_run
from support.runs import Runs
from support.waiting import wait_until
from support.workflow_definition import TASKS

from local.config import ROOT
from local.lambda_runtime import function_environment
from local.moto_patches import integration
from local.stack import LocalStack
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.open_calls import OpenCall
from upcall.domain.run import Run
from upcall.domain.status import TERMINAL_STATUSES
from upcall.run_apis import get_run_api


@dataclass
class FaultyStack:
    """A local stack in which faults can be planned, and what observes it."""

    local_stack: LocalStack
    functions: FaultyLambda
    notifications: Notifications
    events: EventListener
    repository: DynamoDBRunRepository
    runs: Runs
    sqs: Any

    def pending_ended_executions(self) -> int:
        """How many ended executions close_run has not processed yet."""
        found = self.sqs.get_queue_attributes(
            QueueUrl=self.local_stack.deployed.physical_ids["EndedExecutionQueue"],
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )
        return sum(map(int, found["Attributes"].values()))


@pytest.fixture(scope="module")
def faulty_stack(
    local_stack: LocalStack,
    event_listener: EventListener,
    repository: DynamoDBRunRepository,
    runs: Runs,
) -> Iterator[FaultyStack]:
    """The local stack with short poll windows, and with faults in front of its functions and its event bus."""
    functions = FaultyLambda(local_stack.runner)
    with (
        received_notifications(local_stack) as notifications,
        function_changes(local_stack, "CreateRunFunction", environment={"POLL_WINDOW_SECONDS": "0"}),
        function_changes(local_stack, "PollRunFunction", environment={"POLL_WINDOW_SECONDS": "2"}),
        function_changes(local_stack, "SubmitToolOutputsFunction", environment={"POLL_WINDOW_SECONDS": "0"}),
    ):
        integration.invoke_functions_with(functions)
        sqs = boto3.client("sqs")
        yield FaultyStack(local_stack, functions, notifications, event_listener, repository, runs, sqs)
        integration.invoke_functions_with(local_stack.runner)


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_a_run_ends_once_after_any_fault(faulty_stack: FaultyStack, case: Case) -> None:
    repository, runs = faulty_stack.repository, faulty_stack.runs
    model = faulty_stack.local_stack.emulator.script(*case.steps)
    run = new_run(assistant=case.assistant, model=model, run_api=case.api, created_at=datetime.now(UTC))
    plan_fault(faulty_stack, run.run_id, case)
    pending = faulty_stack.pending_ended_executions()

    with pushed_runs(faulty_stack.local_stack) if case.is_pushed else nullcontext():
        repository.add_run(run)
        runs.start_execution(run.run_id)
        if case.needs_approval:
            approve_call(faulty_stack, run)
        faulty_stack.events.wait_for_events(run.run_id)
    runs.wait_for_execution(run.run_id)
    wait_until(
        lambda: faulty_stack.pending_ended_executions() <= pending, "the processing of the ended execution"
    )

    ended = repository.get_run(run.run_id)
    assert not faulty_stack.functions.has_pending_fault(run.run_id), "the fault has not happened"
    assert ended.status == case.status, ended.failure
    assert ended.updates == "pushed" or not case.is_pushed
    entered = runs.entered_states(run.run_id)
    execution_failed = entered[-1] not in ("Save message", "Done", "Failed") or (
        entered[-1] == "Save message" and ended.status != "completed"
    )
    assert case.execution_fails in (None, execution_failed)
    assert_one_result(faulty_stack, ended)
    assert_one_event(faulty_stack, ended)
    assert_calls_were_made_once(faulty_stack, ended)
    if case.needs_approval:
        assert_the_call_was_made_if_it_could_be_approved(faulty_stack, ended, case)
    assert_nothing_is_running_upstream(faulty_stack, ended)


def plan_fault(faulty_stack: FaultyStack, run_id: str, case: Case) -> None:
    """Plan the fault of the case, and one before it if the run comes to the state only after a fault."""
    if case.is_pushed:
        create_run = function_name(faulty_stack.local_stack, "Create run")
        faulty_stack.functions.plan(run_id, create_run, THROTTLED, "before")
    if case.state == "Record failure":
        fault = FUNCTION_ERROR if isinstance(case.fault, MalformedResult) else case.fault
        create_run = function_name(faulty_stack.local_stack, "Create run")
        faulty_stack.functions.plan(run_id, create_run, fault, "before", always=True)
    function = function_name(faulty_stack.local_stack, case.state)
    faulty_stack.functions.plan(
        run_id, function, case.fault, case.when, always=case.always, skipped=int(case.repeats_turn)
    )


def approve_call(faulty_stack: FaultyStack, run: Run) -> None:
    """Approve the call of the run as soon as it waits for that, unless the run ends before."""
    repository = faulty_stack.repository

    def find_call() -> Any:
        return repository.get_run(run.run_id).ended or repository.get_open_call(run, "1-1")

    if isinstance(call := wait_until(find_call, "a call that waits"), OpenCall):
        shown = {"id": call.id, "arguments_digest": call.call.arguments_digest}
        assert faulty_stack.runs.decide(run.run_id, shown).status_code in (200, 409)


def function_name(local_stack: LocalStack, state: str) -> str:
    """The name of the state's function, or a part of it that all functions of the state have."""
    substitution = str(dict(TASKS)[state]["Arguments"]["FunctionName"])
    if "ToolFunctionArnPrefix" in substitution:
        return "-tool-"
    return local_stack.deployed.functions[substitution.removesuffix("Arn")].name


def assert_one_result(faulty_stack: FaultyStack, run: Run) -> None:
    """One complete message, or a failure with a reason."""
    assert run.ended_at is not None
    message = faulty_stack.repository.get_message(run)
    if run.status == "completed":
        assert run.failure is None
        assert message == "Done."
        keys = faulty_stack.runs.table_items(run.run_id)
        assert sum(key.startswith("MESSAGE#") for key in keys) == run.message_parts == 1
    else:
        assert run.failure is not None
        assert run.failure.code
        assert message is None


def assert_one_event(faulty_stack: FaultyStack, run: Run) -> None:
    """One event."""
    events = faulty_stack.events.published_events(run.run_id)
    assert len(events) == 1
    assert {(each["detail"]["status"], each["detail-type"]) for each in events} == {
        (run.status, "Run Completed" if run.status == "completed" else "Run Failed")
    }


def assert_calls_were_made_once(faulty_stack: FaultyStack, run: Run) -> None:
    """The tool with the effect `once` was called at most once. The ledger has each call once."""
    calls = faulty_stack.notifications.of_run(run.run_id)
    ledger = faulty_stack.repository.get_ledger(run.run_id)
    assert len(calls) <= 1
    assert len(ledger) == run.tool_calls == run.round <= 1
    if ledger and ledger[0].output.outcome == "ok":
        assert len(calls) == 1


def assert_the_call_was_made_if_it_could_be_approved(faulty_stack: FaultyStack, run: Run, case: Case) -> None:
    """Otherwise the model reads that nobody could be asked."""
    (entry,) = faulty_stack.repository.get_ledger(run.run_id)
    if case.is_recovered or case.is_ignored:
        assert faulty_stack.notifications.of_run(run.run_id) == ["It was read."]
        assert entry.decision is not None
        assert entry.decision.decision == "approve"
    else:
        assert faulty_stack.notifications.of_run(run.run_id) == []
        assert "The call of notify was not made: nobody could be asked" in entry.output.output


def assert_nothing_is_running_upstream(faulty_stack: FaultyStack, run: Run) -> None:
    """Every turn of the model has ended, and the server does not wait for tool outputs."""
    turns = faulty_stack.local_stack.emulator.models.started_turns.get(run.model, [])
    wait_until(lambda: all(turn.phase in ("done", "cancelled") for turn in turns), "the end of all turns")
    upstream_run = run.upstream_run
    if upstream_run is None:
        assert not turns
        return
    # a response that asks for tools has ended upstream
    ended = (*TERMINAL_STATUSES, *(("requires_action",) if run.run_api == "responses" else ()))
    functions = faulty_stack.local_stack.deployed.functions
    with function_environment(functions["PollRunFunction"].environment):
        wait_until(
            lambda: get_run_api(upstream_run.run_api).poll(upstream_run).status in ended,
            "the end of the run upstream",
        )


def test_every_task_has_cases() -> None:
    assert {case.state for case in CASES} == set(STATES)
    assert {case.state for case in CASES if case.api == "agents"} == set(STATES)


def test_the_page_about_failure_modes_is_up_to_date() -> None:
    written = (ROOT / "docs" / "fault-matrix.md").read_text("utf-8")
    assert written == page(), "run `make fault-matrix`"
