"""List the caller's runs, newest first."""

from upcall.domain.caller import Caller
from upcall.domain.status import Status
from upcall.domain.views import RunList
from upcall.use_cases.interfaces import RunRepository


def list_runs(
    status: Status | None, limit: int, cursor: str | None, caller: Caller, *, repository: RunRepository
) -> RunList:
    """A page of the runs that the caller may see, of one status or of all."""
    return repository.list_runs(owner=caller.owner_filter, status=status, limit=limit, cursor=cursor)
