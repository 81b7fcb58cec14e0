"""End a run that will have no message, in the table and upstream."""

from upcall.domain.events import RunEndedEvent
from upcall.domain.failure import Failure
from upcall.domain.usage import Usage
from upcall.use_cases.end_run import end_with_failure
from upcall.use_cases.interfaces import Clock, GetRunApi, RunRepository


def record_failure(
    run_id: str,
    failure: Failure,
    usage: Usage,
    *,
    still_running: bool,
    repository: RunRepository,
    get_run_api: GetRunApi,
    clock: Clock,
) -> RunEndedEvent:
    """Record the failure; then cancel the run upstream if it is still running there.

    A run that has ended already keeps its status. Raises NotFound, TransientError, RunAlreadyEnded.
    """
    run = repository.get_run(run_id)
    if not run.ended:
        run = end_with_failure(run, failure, repository, clock, usage)
    if still_running and run.upstream_run is not None:
        get_run_api(run.run_api).cancel(run.upstream_run)
    return RunEndedEvent.of(run, repository.get_message(run))
