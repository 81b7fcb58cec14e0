"""Find open batches that no execution works on: start them again, or cancel those that somebody stopped."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from upcall.domain.batch import Batch
from upcall.domain.errors import NotFound
from upcall.domain.failure import Failure
from upcall.domain.model import Model
from upcall.observability.logging import logger
from upcall.use_cases.interfaces import BatchRepository, BatchWorkflow, Clock
from upcall.use_cases.start_batch import ensure_execution

MIN_AGE: Final = timedelta(minutes=5)
"""The execution of a younger batch may be about to be started."""

MAX_ATTEMPTS: Final = 10
"""A batch whose executions failed as often is left as it is: what made them fail will not pass by itself."""

STOPPED: Final = Failure(
    status="cancelled", code="execution_aborted", message="The execution of the batch was stopped."
)


class BatchSweepResult(Model):
    """How many open batches were checked, and how many were started again, cancelled, or given up."""

    open: int = 0
    restarted: int = 0
    cancelled: int = 0
    given_up: int = 0


def sweep_batches(*, batches: BatchRepository, workflow: BatchWorkflow, clock: Clock) -> BatchSweepResult:
    """Check every open batch.

    One whose execution is missing, failed or timed out gets another, which goes on where it was. One whose
    execution somebody stopped is cancelled, as a run is.
    """
    checked = restarted = cancelled = given_up = 0
    for batch in _open_batches(batches, clock.now() - MIN_AGE):
        checked += 1
        execution = workflow.describe_batch_execution(batch)
        status = None if execution is None else execution.status
        if status in ("RUNNING", "PENDING_REDRIVE"):
            continue
        if status is not None and batch.attempt >= MAX_ATTEMPTS:
            logger.error("batch given up", batch_id=batch.batch_id, attempt=batch.attempt)
            given_up += 1
        elif status == "ABORTED":
            ensure_execution(batches.cancel_batch(batch, STOPPED), batches, workflow)
            logger.warning("batch cancelled", batch_id=batch.batch_id)
            cancelled += 1
        else:
            ensure_execution(batch, batches, workflow)
            logger.warning("batch started again", batch_id=batch.batch_id)
            restarted += 1
    return BatchSweepResult(open=checked, restarted=restarted, cancelled=cancelled, given_up=given_up)


def _open_batches(batches: BatchRepository, created_before: datetime) -> Iterator[Batch]:
    """The open batches. The list may be behind: one of it may have ended or been deleted by now."""
    for batch_id in batches.list_open_batches(created_before):
        try:
            batch = batches.get_batch(batch_id)
        except NotFound:
            continue
        if not batch.ended:
            yield batch
