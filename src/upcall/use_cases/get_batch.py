"""A batch as its caller sees it: its record, and how far it is."""

from upcall.domain.batch import Batch, no_such_batch
from upcall.domain.batch_view import BatchView
from upcall.domain.caller import Caller
from upcall.use_cases.interfaces import BatchRepository, Clock


def get_batch(batch_id: str, caller: Caller, *, batches: BatchRepository, clock: Clock) -> BatchView:
    """A batch with its counts. Raises NotFound."""
    return view_batch(get_batch_of_caller(batch_id, caller, batches), batches, clock)


def get_batch_of_caller(batch_id: str, caller: Caller, batches: BatchRepository) -> Batch:
    """The record of a batch. Raises NotFound, also for a batch of another caller."""
    batch = batches.get_batch(batch_id)
    if not caller.may_see(batch.owner):
        raise no_such_batch(batch_id)
    return batch


def view_batch(batch: Batch, batches: BatchRepository, clock: Clock) -> BatchView:
    """The view of a batch."""
    counts = batches.get_counts(batch.batch_id)
    return BatchView.of(batch, counts, count_lines_under_way(batch, batches), clock.now())


def count_lines_under_way(batch: Batch, batches: BatchRepository) -> int:
    """How many runs of a batch are under way. They are counted only while it has some."""
    return 0 if batch.ended else sum(1 for _ in batches.list_open_lines(batch.batch_id))
