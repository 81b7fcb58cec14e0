"""End a run that will have no complete message, in the table and upstream, and publish that."""

from upcall.domain.errors import RequestRejected, TransientError
from upcall.domain.failure import Failure
from upcall.domain.run import Run
from upcall.domain.usage import Usage
from upcall.observability.logging import logger
from upcall.run_apis.base import CANCEL_SECONDS, time_limit
from upcall.use_cases.end_run import RunEnded, end_with_failure, publish_end
from upcall.use_cases.interfaces import (
    BatchRepository,
    Clock,
    EventPublisher,
    GetRunApi,
    RunRepository,
    WaitingTasks,
)
from upcall.use_cases.upstream_request import cancel_upstream_run


def record_failure(
    run_id: str,
    failure: Failure,
    usage: Usage,
    *,
    still_running: bool,
    repository: RunRepository,
    get_run_api: GetRunApi,
    publisher: EventPublisher,
    batches: BatchRepository,
    waiting_tasks: WaitingTasks,
    clock: Clock,
) -> RunEnded:
    """Record the failure; then cancel the run upstream if it is still running there, and publish its end.

    An incomplete run keeps the text that it has. A run that has ended already keeps its status. Raises
    NotFound, TransientError, RunAlreadyEnded.
    """
    run = repository.get_run(run_id)
    if not run.ended:
        text = _partial_text(run, get_run_api) if failure.status == "incomplete" else ""
        run = end_with_failure(run, failure, repository, clock, usage, text)
    if still_running:
        cancel_upstream_run(run, get_run_api)
    return publish_end(run, repository, publisher, batches, waiting_tasks)


def _partial_text(run: Run, get_run_api: GetRunApi) -> str:
    if run.upstream_run is None:
        return ""
    try:
        with time_limit(CANCEL_SECONDS):
            return get_run_api(run.run_api).get_message(run, run.upstream_run).text
    except (TransientError, RequestRejected):
        logger.warning("partial message not available", run_id=run.run_id)
        return ""
