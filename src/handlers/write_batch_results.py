"""State "Write batch results": writes the results of a batch into the bucket, and ends it."""

from typing import Annotated

from pydantic import BeforeValidator

from upcall.aws import batch_files, eventbridge, s3
from upcall.aws.batch_repository import batch_repository
from upcall.aws.run_repository import run_repository
from upcall.domain.failure import Failure, parse_caught_error
from upcall.domain.model import Model
from upcall.lambda_runtime.clock import SystemClock
from upcall.lambda_runtime.init import load_at_init
from upcall.lambda_runtime.workflow_task import workflow_task
from upcall.use_cases.write_batch_results import ResultsProgress, ResultsWritten, write_batch_results

load_at_init(run_repository, batch_repository, s3.get_client, eventbridge.get_client)


class WriteBatchResults(Model):
    """The batch, what was written before, and an error for which no further run was started.

    `attempt` is that of the batch's execution. One that was started with an earlier version has none.
    """

    batch_id: str
    attempt: int | None = None
    progress: ResultsProgress = ResultsProgress()
    failure: Annotated[Failure | None, BeforeValidator(lambda each: each and parse_caught_error(each))] = None


@workflow_task
def lambda_handler(event: WriteBatchResults) -> ResultsWritten:
    """Write results of lines that have ended; the batch ends with the last of them."""
    return write_batch_results(
        event.batch_id,
        event.progress,
        event.failure,
        event.attempt,
        batches=batch_repository(),
        repository=run_repository(),
        files=batch_files,
        publisher=eventbridge,
        clock=SystemClock(),
    )
