"""Find open runs that no execution works on, or whose calls have answers that the workflow has not got."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from upcall.domain.errors import NotFound
from upcall.domain.model import Model
from upcall.domain.run import Run
from upcall.observability import metrics
from upcall.observability.logging import logger
from upcall.use_cases.answer_call import complete_answered_calls
from upcall.use_cases.interfaces import (
    Clock,
    EndedExecutionQueue,
    RunRepository,
    WaitingTasks,
    Workflow,
)

MIN_AGE: Final = timedelta(minutes=5)
"""The execution of a younger run may be about to be started."""


class SweepResult(Model):
    """How many open runs were checked, and how many of them were resumed or enqueued to be closed.

    `answered` counts calls whose answers the workflow did not have yet.
    """

    open: int = 0
    resumed: int = 0
    enqueued: int = 0
    answered: int = 0


def sweep_runs(
    *,
    repository: RunRepository,
    workflow: Workflow,
    waiting_tasks: WaitingTasks,
    ended_executions: EndedExecutionQueue,
    clock: Clock,
) -> SweepResult:
    """Check every open run: start a missing execution, enqueue one that has ended, deliver lost answers."""
    checked = resumed = enqueued = answered = 0
    for run in _open_runs(repository, clock.now() - MIN_AGE):
        checked += 1
        execution = workflow.describe_execution(run)
        if execution is None and repository.get_controls(run.owner, run.batch_id).stops:
            logger.info("run not resumed: an operator has stopped it", run_id=run.run_id)
        elif execution is None:
            workflow.start_execution(run)
            logger.warning("run resumed", run_id=run.run_id)
            resumed += 1
        elif execution.status != "RUNNING":
            ended_executions.enqueue_ended_execution(execution)
            logger.warning("run enqueued to be closed", run_id=run.run_id)
            enqueued += 1
        else:
            answered += complete_answered_calls(run, clock.now(), repository, waiting_tasks)
    metrics.record_sweep(checked, resumed + enqueued)
    return SweepResult(open=checked, resumed=resumed, enqueued=enqueued, answered=answered)


def _open_runs(repository: RunRepository, created_before: datetime) -> Iterator[Run]:
    """The open runs. The index follows the table: a listed run may have ended or been deleted by now."""
    for run_id in repository.list_open_runs(created_before):
        try:
            run = repository.get_run(run_id)
        except NotFound:
            continue
        if not run.ended:
            yield run
