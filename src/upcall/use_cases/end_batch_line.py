"""Write down how a line of a batch ended, and let the workflow of the batch go on."""

from upcall.domain.batch import LineEnd
from upcall.domain.run import Run
from upcall.use_cases.interfaces import BatchRepository, WaitingTasks


def end_batch_line(run: Run, batches: BatchRepository, waiting_tasks: WaitingTasks) -> None:
    """End the line that a run was started for, if there is one. It may be repeated. Raises TransientError."""
    if run.batch_id is None or run.batch_line is None:
        return
    line = batches.end_line(run.batch_id, run.batch_line, LineEnd.of(run), run.created_at)
    if line.task_token:
        waiting_tasks.complete_task(line.task_token, {})
