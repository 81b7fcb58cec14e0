"""List the caller's batches, newest first."""

from upcall.domain.batch_view import BatchList, BatchView
from upcall.domain.caller import Caller
from upcall.use_cases.get_batch import count_lines_under_way
from upcall.use_cases.interfaces import BatchRepository, Clock


def list_batches(
    limit: int, cursor: str | None, caller: Caller, *, batches: BatchRepository, clock: Clock
) -> BatchList:
    """A page of the batches that the caller may see, each with how far it is."""
    page = batches.list_batches(owner=caller.owner_filter, limit=limit, cursor=cursor)
    views = (
        BatchView.of(batch, counts, count_lines_under_way(batch, batches), clock.now())
        for batch, counts in page.batches
    )
    return BatchList(batches=tuple(views), next_cursor=page.next_cursor)
