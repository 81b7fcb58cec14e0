from collections.abc import Callable

import pytest
from support.batch_records import BATCH_ID, COMPLETED, new_batch
from support.batch_repository_contract import line_of
from support.fakes.batch_repository import InMemoryBatchRepository
from support.fakes.clock import START, FakeClock
from support.fakes.workflow import InMemoryBatchWorkflow

from upcall.domain.batch import CANCELLED, Batch
from upcall.domain.batch_view import BatchView
from upcall.domain.caller import Caller
from upcall.domain.errors import BatchAlreadyEnded, NotFound
from upcall.use_cases.cancel_batch import cancel_batch

ANN = Caller("ann", one_tenant=False)
Cancel = Callable[..., BatchView]


@pytest.fixture
def batch(batches: InMemoryBatchRepository, batch_workflow: InMemoryBatchWorkflow) -> Batch:
    batch = batches.record_lines(batches.add_batch(new_batch()), 3, START)
    batch_workflow.start_batch_execution(batch)
    return batch


@pytest.fixture
def cancel(
    batches: InMemoryBatchRepository, batch_workflow: InMemoryBatchWorkflow, clock: FakeClock
) -> Cancel:
    def call(caller: Caller = ANN) -> BatchView:
        return cancel_batch(BATCH_ID, caller, batches=batches, workflow=batch_workflow, clock=clock)

    return call


@pytest.mark.usefixtures("batch")
def test_another_execution_takes_over(cancel: Cancel, batch_workflow: InMemoryBatchWorkflow) -> None:
    view = cancel()

    assert (view.status, view.failure, view.attempt) == ("cancelling", CANCELLED, 2)
    assert batch_workflow.executions == {BATCH_ID: "ABORTED", f"{BATCH_ID}-2": "RUNNING"}


def test_the_view_has_the_counts(cancel: Cancel, batches: InMemoryBatchRepository, batch: Batch) -> None:
    for number in (1, 2):
        batches.claim_line(batch, line_of(number))
    batches.end_line(BATCH_ID, 1, COMPLETED, START)

    view = cancel()

    assert (view.counts.completed, view.under_way, view.waiting) == (1, 1, 1)


@pytest.mark.usefixtures("batch")
def test_a_second_request_changes_nothing(cancel: Cancel, batch_workflow: InMemoryBatchWorkflow) -> None:
    assert cancel() == cancel()
    assert batch_workflow.executions == {BATCH_ID: "ABORTED", f"{BATCH_ID}-2": "RUNNING"}


@pytest.mark.usefixtures("batch")
def test_a_cancellation_whose_execution_is_lost_gets_another_one(
    cancel: Cancel, batch_workflow: InMemoryBatchWorkflow
) -> None:
    cancel()
    batch_workflow.stop_batch_execution(f"{BATCH_ID}-2")

    assert (cancel().status, cancel().attempt) == ("cancelling", 3)
    assert batch_workflow.executions[f"{BATCH_ID}-3"] == "RUNNING"


@pytest.mark.usefixtures("batch")
def test_a_function_that_died_after_the_record_is_repeated(
    cancel: Cancel, batch_workflow: InMemoryBatchWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(batch_workflow, "stop_batch_execution", die)
        with pytest.raises(ConnectionError):
            cancel()

    assert cancel().attempt == 2
    assert batch_workflow.executions == {BATCH_ID: "ABORTED", f"{BATCH_ID}-2": "RUNNING"}


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_a_batch_that_has_ended_is_a_conflict(
    cancel: Cancel,
    batches: InMemoryBatchRepository,
    batch_workflow: InMemoryBatchWorkflow,
    batch: Batch,
    status: str,
) -> None:
    ended = batches.end_batch(batch, status, 1, START)  # type: ignore[arg-type]

    with pytest.raises(BatchAlreadyEnded, match=f"batch batch_1 has ended already: it is {status}"):
        cancel()
    assert batches.get_batch(BATCH_ID) == ended
    assert batch_workflow.executions == {BATCH_ID: "RUNNING"}


def test_a_batch_that_ends_at_the_same_moment_is_a_conflict(
    cancel: Cancel, batches: InMemoryBatchRepository, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancel_record = batches.cancel_batch
    monkeypatch.setattr(
        batches,
        "cancel_batch",
        lambda *arguments: [batches.end_batch(batch, "completed", 1, START), cancel_record(*arguments)][1],
    )

    with pytest.raises(BatchAlreadyEnded):
        cancel()


@pytest.mark.usefixtures("batch")
def test_a_batch_of_another_caller_is_not_found_as_a_missing_one_is(
    cancel: Cancel, batches: InMemoryBatchRepository
) -> None:
    with pytest.raises(NotFound, match="^there is no batch 'batch_1'$"):
        cancel(Caller("bob", one_tenant=False))
    assert batches.get_batch(BATCH_ID).status == "in_progress"
    assert cancel(Caller("bob", one_tenant=True)).status == "cancelling"
