"""Cancel a run: in the table, upstream, and in the workflow."""

from upcall.domain.caller import Caller
from upcall.domain.errors import RunAlreadyEnded, TransientError
from upcall.domain.execution import Execution
from upcall.domain.failure import Failure
from upcall.domain.run import Run
from upcall.observability.logging import logger
from upcall.use_cases.end_run import end_with_failure
from upcall.use_cases.get_run import get_run_of_caller
from upcall.use_cases.interfaces import Clock, EndedExecutionQueue, GetRunApi, RunRepository, Workflow
from upcall.use_cases.upstream_request import cancel_upstream_run

CANCELLED = Failure(status="cancelled", code="cancelled", message="Cancelled on request.")

MAX_TRIES = 5
"""A record may move on to its next round meanwhile; then it is read again."""


def cancel_run(
    run_id: str,
    caller: Caller,
    *,
    repository: RunRepository,
    get_run_api: GetRunApi,
    workflow: Workflow,
    ended_executions: EndedExecutionQueue,
    clock: Clock,
) -> Run:
    """Cancel a run. Raises NotFound, and RunAlreadyEnded for a run that has ended.

    The record is written first. From then on nothing late is stored, and a function that creates something
    upstream for the run finds it ended and cancels that itself. The end of the execution makes `close_run`
    publish the final event, and cancel upstream once more, in case the server cannot be reached now. If a
    request dies on the way, the next one completes its work, and still raises RunAlreadyEnded.
    """

    def stop(run: Run) -> None:
        try:
            cancel_upstream_run(run, get_run_api)
        except TransientError:
            logger.exception("run not cancelled upstream", run_id=run.run_id)
        if not workflow.stop_execution(run, CANCELLED.code, CANCELLED.message):
            ended_executions.enqueue_ended_execution(
                Execution(
                    name=run.execution_name, status="ABORTED", error=CANCELLED.code, cause=CANCELLED.message
                )
            )

    for _ in range(MAX_TRIES):
        run = get_run_of_caller(run_id, caller, repository)
        if run.failure == CANCELLED:
            stop(run)
        if run.ended:
            raise RunAlreadyEnded(f"run {run_id} has ended already: it is {run.status}")
        try:
            cancelled = end_with_failure(run, CANCELLED, repository, clock)
        except RunAlreadyEnded:
            continue
        stop(cancelled)
        return cancelled
    raise RunAlreadyEnded(f"run {run_id} could not be cancelled: its record keeps changing")
