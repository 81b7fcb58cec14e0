"""Start the run of one line of a batch."""

from collections.abc import Callable

from upcall.domain.batch import Batch, BatchCounts, BatchLine, LineEnd, LineSource
from upcall.domain.batch_request import LineInput, parse_line
from upcall.domain.caller import Caller
from upcall.domain.errors import BatchStopped, FieldError, InvalidInput
from upcall.domain.failure import Failure
from upcall.domain.model import Model
from upcall.domain.run import Run
from upcall.domain.run_request import RunRequest
from upcall.use_cases.interfaces import BatchFiles, BatchRepository, Workflow

StartRun = Callable[[RunRequest, Caller, Batch, int], Run]


class LineEnded(Model):
    """The line has ended: nothing is left to wait for."""


def start_batch_run(
    batch_id: str,
    attempt: int,
    source: LineSource,
    task_token: str,
    *,
    one_tenant: bool,
    batches: BatchRepository,
    files: BatchFiles,
    workflow: Workflow,
    start_run: StartRun,
) -> LineEnded | None:
    """Start the run of a line, once, however often this is tried. None if the end of the run is to come.

    `attempt` is that of the execution: one that was replaced by another starts nothing. A line from which no
    run can be started has failed. A run of an earlier try whose execution is lost gets another one. Raises
    BatchStopped if no further line is to be started, NotFound, TransientError.
    """
    batch = batches.get_batch(batch_id)
    batch.check_attempt(attempt)
    counts = BatchCounts()
    if batch.budget_usd is not None or batch.tolerated_failures < 1:
        counts = batches.get_counts(batch_id)
    if reason := batch.stop_reason(counts):
        batches.stop_batch(batch, reason)
        raise BatchStopped(f"batch {batch_id} starts no further run")
    line = BatchLine(line=source.line, task_token=task_token)
    try:
        line_input = _read_line(batch, source, files)
        line = line.model_copy(update={"custom_id": line_input.custom_id})
        request = line_input.run_request(batch.defaults, batch.prompt_template)
    except InvalidInput as error:
        return _fail(batch, batches.claim_line(batch, line), error, batches)
    line = batches.claim_line(batch, line.model_copy(update={"run_id": batch.run_id(source.line)}))
    if line.end is not None or line.run_id is None:
        return LineEnded()
    caller = Caller(batch.owner, one_tenant=one_tenant, person=batch.started_by or "")
    try:
        run = start_run(request, caller, batch, source.line)
    except InvalidInput as error:
        return _fail(batch, line, error, batches)
    if run.ended:
        batches.end_line(batch_id, source.line, LineEnd.of(run), run.created_at)
        return LineEnded()
    if run.status != "queued" and workflow.describe_execution(run) is None:
        workflow.start_execution(run)
    return None


def _read_line(batch: Batch, source: LineSource, files: BatchFiles) -> LineInput:
    if source.error:
        raise InvalidInput(FieldError("line", source.error))
    return parse_line(files.read_range(batch.inputs_key, source.offset, source.length))


def _fail(batch: Batch, line: BatchLine, error: InvalidInput, batches: BatchRepository) -> LineEnded:
    failure = Failure(code="invalid_line", message=str(error))
    batches.end_line(batch.batch_id, line.line, LineEnd(status="failed", failure=failure), batch.created_at)
    return LineEnded()
