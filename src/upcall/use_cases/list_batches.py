"""List the caller's batches, newest first."""

from upcall.domain.batch_view import BatchList, BatchView
from upcall.domain.caller import Caller
from upcall.use_cases.get_batch import count_lines_under_way
from upcall.use_cases.interfaces import BatchRepository, Clock


def list_batches(
    owner: str | None,
    limit: int,
    cursor: str | None,
    caller: Caller,
    *,
    batches: BatchRepository,
    clock: Clock,
) -> BatchList:
    """A page of the batches that the caller may see, of one owner or of all, each with how far it is.

    An owner whose batches the caller may not see has none for it, as in `list_runs`.
    """
    if owner is None:
        owner = caller.owner_filter
    elif not caller.may_see(owner):
        return BatchList(batches=())
    page = batches.list_batches(owner=owner, limit=limit, cursor=cursor)
    views = (
        BatchView.of(batch, counts, count_lines_under_way(batch, batches), clock.now())
        for batch, counts in page.batches
    )
    return BatchList(batches=tuple(views), next_cursor=page.next_cursor)
