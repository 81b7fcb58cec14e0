"""List the caller's runs, newest first."""

from upcall.domain.caller import Caller
from upcall.domain.status import Status
from upcall.domain.views import RunList
from upcall.use_cases.interfaces import RunRepository


def list_runs(
    owner: str | None,
    status: Status | None,
    limit: int,
    cursor: str | None,
    caller: Caller,
    *,
    repository: RunRepository,
) -> RunList:
    """A page of the runs that the caller may see: of one owner and status, or of all.

    An owner whose runs the caller may not see has none for it, and nothing is read: the response does not
    tell whether there is such an owner.
    """
    if owner is None:
        owner = caller.owner_filter
    elif not caller.may_see(owner):
        return RunList(runs=())
    return repository.list_runs(owner=owner, status=status, limit=limit, cursor=cursor)
