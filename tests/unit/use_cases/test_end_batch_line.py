import pytest
from support.batch_records import BATCH_ID, new_batch
from support.batch_repository_contract import line_of
from support.fakes.batch_repository import InMemoryBatchRepository
from support.fakes.clock import START
from support.fakes.workflow import InMemoryWorkflow
from support.run_records import FAILURE, USAGE, new_run

from upcall.domain.batch import LineEnd
from upcall.domain.errors import TransientError
from upcall.domain.run import Run
from upcall.use_cases.end_batch_line import end_batch_line


def ended_run(line: int | None = 1) -> Run:
    """A run that has failed, of that line."""
    fields = {"status": "failed", "failure": FAILURE, "usage": USAGE}
    if line is not None:
        fields |= {"batch_id": BATCH_ID, "batch_line": line}
    return new_run().model_copy(update=fields)


def test_the_line_ends_as_its_run_did_and_its_task_is_completed(
    batches: InMemoryBatchRepository, workflow: InMemoryWorkflow
) -> None:
    batches.claim_line(batches.add_batch(new_batch()), line_of(1, "first"))
    batches.claim_line(batches.get_batch(BATCH_ID), line_of(1, "second"))
    run = ended_run()

    end_batch_line(run, batches, workflow)

    (line,) = batches.list_lines(BATCH_ID, 1, 1)
    assert line.end == LineEnd(run_id=run.run_id, status="failed", failure=FAILURE, usage=USAGE)
    assert workflow.outputs == {"second": {}}


def test_the_end_of_a_line_may_be_repeated(
    batches: InMemoryBatchRepository, workflow: InMemoryWorkflow
) -> None:
    batches.claim_line(batches.add_batch(new_batch()), line_of(1))

    end_batch_line(ended_run(), batches, workflow)
    end_batch_line(ended_run(), batches, workflow)

    assert batches.get_counts(BATCH_ID).failed == 1
    assert len(workflow.outputs) == 1


def test_a_task_that_could_not_be_completed_is_completed_by_the_next_try(
    batches: InMemoryBatchRepository, workflow: InMemoryWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bool:
        raise TransientError("throttled")

    batches.claim_line(batches.add_batch(new_batch()), line_of(1))
    with monkeypatch.context() as patch:
        patch.setattr(workflow, "complete_task", fail)
        with pytest.raises(TransientError):
            end_batch_line(ended_run(), batches, workflow)

    end_batch_line(ended_run(), batches, workflow)
    assert workflow.outputs == {"t": {}}


def test_a_line_without_a_token_completes_no_task(
    batches: InMemoryBatchRepository, workflow: InMemoryWorkflow
) -> None:
    batches.claim_line(batches.add_batch(new_batch()), line_of(1, ""))

    end_batch_line(ended_run(), batches, workflow)

    assert workflow.outputs == {}


def test_a_run_of_no_batch_ends_no_line(batches: InMemoryBatchRepository, workflow: InMemoryWorkflow) -> None:
    end_batch_line(ended_run(line=None), batches, workflow)

    assert batches.get_counts(BATCH_ID).ended == 0


def test_a_line_whose_run_is_retried_keeps_its_first_end(
    batches: InMemoryBatchRepository, workflow: InMemoryWorkflow
) -> None:
    batches.claim_line(batches.add_batch(new_batch()), line_of(1))
    end_batch_line(ended_run(), batches, workflow)

    end_batch_line(
        ended_run().model_copy(update={"status": "completed", "attempt": 2, "ended_at": START}),
        batches,
        workflow,
    )

    counts = batches.get_counts(BATCH_ID)
    assert (counts.completed, counts.failed) == (0, 1)
