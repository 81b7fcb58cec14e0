"""Close a run whose execution ended outside of the workflow's own last states.

The run is recorded as ended exactly once; it is cancelled upstream and its event is published at least once.
A run that the workflow itself has ended is left alone: only the workflow's last state fails with
WORKFLOW_CAUSE.
"""

from collections.abc import Mapping
from typing import Final

from upcall.domain.errors import NotFound, RunAlreadyEnded
from upcall.domain.execution import Execution, ExecutionStatus
from upcall.domain.failure import Failure
from upcall.domain.run import Run
from upcall.domain.status import FailureStatus
from upcall.observability.logging import logger
from upcall.use_cases.end_run import end_with_failure, publish_end
from upcall.use_cases.interfaces import (
    BatchRepository,
    Clock,
    EventPublisher,
    GetRunApi,
    RunRepository,
    WaitingTasks,
)
from upcall.use_cases.upstream_request import cancel_upstream_run

WORKFLOW_CAUSE: Final = "The record of the run says why."
"""The cause with which the workflow's last state fails, after it has recorded and published the run's end."""

MAX_MESSAGE_CHARACTERS: Final = 1000

_STATUSES: Final[Mapping[ExecutionStatus, FailureStatus]] = {"ABORTED": "cancelled"}

_MESSAGES: Final[Mapping[ExecutionStatus, str]] = {
    "ABORTED": "The execution was stopped.",
    "TIMED_OUT": "The execution took longer than the workflow allows.",
    "FAILED": "The execution failed.",
    "SUCCEEDED": "The execution ended before the run had ended.",
}


def close_run(
    execution: Execution,
    *,
    repository: RunRepository,
    get_run_api: GetRunApi,
    publisher: EventPublisher,
    batches: BatchRepository,
    waiting_tasks: WaitingTasks,
    clock: Clock,
) -> None:
    """Close the run of an execution that has ended. Raises TransientError."""
    try:
        run = repository.get_run(execution.run_id)
    except NotFound:  # its retention is over
        logger.warning("no run to close")
        return
    if execution.name != run.execution_name:  # of an earlier attempt
        return
    if run.ended and execution.status == "FAILED" and execution.cause == WORKFLOW_CAUSE:
        return
    if not run.ended:
        run = _end(run, execution, repository, clock)
        logger.info("run closed", status=run.status)
    publish_end(run, repository, publisher, batches, waiting_tasks)
    if run.status != "completed":
        cancel_upstream_run(run, get_run_api)


def _end(run: Run, execution: Execution, repository: RunRepository, clock: Clock) -> Run:
    message = f"{_MESSAGES[execution.status]} {execution.cause or ''}".strip()[:MAX_MESSAGE_CHARACTERS]
    failure = Failure(
        status=_STATUSES.get(execution.status, "failed"),
        code=execution.error or f"execution_{execution.status.lower()}",
        message=message,
    )
    try:
        return end_with_failure(run, failure, repository, clock)
    except RunAlreadyEnded:
        return repository.get_run(run.run_id)
