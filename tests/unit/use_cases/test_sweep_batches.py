from collections.abc import Callable

import pytest
from support.batch_records import BATCH_ID, new_batch
from support.fakes.batch_repository import InMemoryBatchRepository
from support.fakes.clock import START, FakeClock
from support.fakes.workflow import InMemoryBatchWorkflow

from upcall.domain.batch import CANCELLED, Batch
from upcall.domain.execution import ExecutionStatus
from upcall.use_cases.sweep_batches import (
    MAX_ATTEMPTS,
    MIN_AGE,
    STOPPED,
    BatchSweepResult,
    sweep_batches,
)

Sweep = Callable[[], BatchSweepResult]


@pytest.fixture
def sweep(batches: InMemoryBatchRepository, batch_workflow: InMemoryBatchWorkflow, clock: FakeClock) -> Sweep:
    return lambda: sweep_batches(batches=batches, workflow=batch_workflow, clock=clock)


@pytest.fixture
def batch(batches: InMemoryBatchRepository, clock: FakeClock) -> Batch:
    """A batch in progress, which was started a while ago."""
    batch = batches.add_batch(new_batch(created_at=clock.now() - 2 * MIN_AGE))
    return batches.record_lines(batch, 3, START)


def test_a_batch_without_an_execution_gets_one(
    sweep: Sweep, batch: Batch, batch_workflow: InMemoryBatchWorkflow
) -> None:
    assert sweep() == BatchSweepResult(open=1, restarted=1)
    assert batch_workflow.executions == {batch.batch_id: "RUNNING"}
    assert sweep() == BatchSweepResult(open=1)


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT"])
def test_a_batch_whose_execution_failed_goes_on_with_another(
    sweep: Sweep,
    batch: Batch,
    batches: InMemoryBatchRepository,
    batch_workflow: InMemoryBatchWorkflow,
    status: ExecutionStatus,
) -> None:
    batch_workflow.executions[batch.batch_id] = status

    assert sweep() == BatchSweepResult(open=1, restarted=1)
    assert batches.get_batch(BATCH_ID) == batch.model_copy(update={"attempt": 2})
    assert batch_workflow.executions[f"{BATCH_ID}-2"] == "RUNNING"


def test_a_batch_whose_execution_was_stopped_is_cancelled(
    sweep: Sweep, batch: Batch, batches: InMemoryBatchRepository, batch_workflow: InMemoryBatchWorkflow
) -> None:
    batch_workflow.executions[batch.batch_id] = "ABORTED"

    assert sweep() == BatchSweepResult(open=1, cancelled=1)
    cancelling = batches.get_batch(BATCH_ID)
    assert (cancelling.status, cancelling.failure, cancelling.attempt) == ("cancelling", STOPPED, 2)
    assert batch_workflow.executions[f"{BATCH_ID}-2"] == "RUNNING"


def test_a_cancellation_that_was_stopped_goes_on(
    sweep: Sweep, batch: Batch, batches: InMemoryBatchRepository, batch_workflow: InMemoryBatchWorkflow
) -> None:
    cancelling = batches.cancel_batch(batch, CANCELLED)
    batch_workflow.executions[cancelling.execution_name] = "ABORTED"

    sweep()

    assert batches.get_batch(BATCH_ID) == cancelling.model_copy(update={"attempt": 3})
    assert batch_workflow.executions[f"{BATCH_ID}-3"] == "RUNNING"


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_a_batch_that_failed_too_often_is_left_as_it_is(
    sweep: Sweep,
    batch: Batch,
    batches: InMemoryBatchRepository,
    batch_workflow: InMemoryBatchWorkflow,
    status: ExecutionStatus,
    caplog: pytest.LogCaptureFixture,
) -> None:
    while batch.attempt < MAX_ATTEMPTS:
        batch = batches.restart_batch(batch)
    batch_workflow.executions[batch.execution_name] = status

    assert sweep() == BatchSweepResult(open=1, given_up=1)
    assert batches.get_batch(BATCH_ID) == batch
    assert batch_workflow.executions == {batch.execution_name: status}
    assert "batch given up" in caplog.messages


@pytest.mark.parametrize("status", ["RUNNING", "PENDING_REDRIVE"])
def test_a_batch_that_is_worked_on_is_left_alone(
    sweep: Sweep,
    batch: Batch,
    batches: InMemoryBatchRepository,
    batch_workflow: InMemoryBatchWorkflow,
    status: ExecutionStatus,
) -> None:
    batch_workflow.executions[batch.batch_id] = status

    assert sweep() == BatchSweepResult(open=1)
    assert batches.get_batch(BATCH_ID) == batch


def test_a_young_batch_may_be_about_to_be_started(
    sweep: Sweep, batches: InMemoryBatchRepository, batch_workflow: InMemoryBatchWorkflow, clock: FakeClock
) -> None:
    batches.add_batch(new_batch(created_at=clock.now() - MIN_AGE))

    assert sweep() == BatchSweepResult()
    assert batch_workflow.executions == {}


def test_a_listed_batch_may_have_ended_or_been_deleted_by_now(
    sweep: Sweep,
    batch: Batch,
    batches: InMemoryBatchRepository,
    batch_workflow: InMemoryBatchWorkflow,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batches.end_batch(batch, "completed", 1, START)
    monkeypatch.setattr(batches, "list_open_batches", lambda _: iter([batch.batch_id, "batch_deleted"]))

    assert sweep() == BatchSweepResult()
    assert batch_workflow.executions == {}
