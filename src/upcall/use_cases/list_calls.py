"""List the answered tool calls of a run, round by round."""

from upcall.domain.caller import Caller
from upcall.domain.views import CallList
from upcall.use_cases.get_run import get_run_of_caller
from upcall.use_cases.interfaces import RunRepository


def list_calls(
    run_id: str, limit: int, cursor: str | None, caller: Caller, *, repository: RunRepository
) -> CallList:
    """A page of the run's ledger. Raises NotFound, also for a run of another caller."""
    run = get_run_of_caller(run_id, caller, repository)
    return repository.list_calls(run.run_id, limit, cursor)
