"""Cancel a batch: no line is started any more, and the runs under way are cancelled."""

from upcall.domain.batch import CANCELLED
from upcall.domain.batch_view import BatchView
from upcall.domain.caller import Caller
from upcall.domain.errors import BatchAlreadyEnded
from upcall.use_cases.get_batch import get_batch_of_caller, view_batch
from upcall.use_cases.interfaces import BatchRepository, BatchWorkflow, Clock
from upcall.use_cases.start_batch import ensure_execution


def cancel_batch(
    batch_id: str, caller: Caller, *, batches: BatchRepository, workflow: BatchWorkflow, clock: Clock
) -> BatchView:
    """Cancel a batch. Raises NotFound, and BatchAlreadyEnded for a batch that has ended.

    Another execution of the workflow cancels the runs and writes the results. It may be requested again.
    """
    batch = get_batch_of_caller(batch_id, caller, batches)
    if batch.ended:
        raise BatchAlreadyEnded(f"batch {batch_id} has ended already: it is {batch.status}")
    cancelling = batches.cancel_batch(batch, CANCELLED)
    if cancelling.ended:
        raise BatchAlreadyEnded(f"batch {batch_id} has ended already: it is {cancelling.status}")
    for attempt in range(1, cancelling.attempt):
        workflow.stop_batch_execution(cancelling.model_copy(update={"attempt": attempt}).execution_name)
    cancelling = ensure_execution(cancelling, batches, workflow)
    return view_batch(cancelling, batches, clock)
