"""State "Prepare batch": copies the inputs of a batch and writes an index of their lines."""

from upcall.aws import batch_files, s3
from upcall.aws.batch_repository import batch_repository
from upcall.domain.model import Model
from upcall.lambda_runtime.clock import SystemClock
from upcall.lambda_runtime.init import load_at_init
from upcall.lambda_runtime.workflow_task import workflow_task
from upcall.use_cases.prepare_batch import BatchPrepared, prepare_batch

load_at_init(batch_repository, s3.get_client)


class PrepareBatch(Model):
    """The batch."""

    batch_id: str


@workflow_task
def lambda_handler(event: PrepareBatch) -> BatchPrepared:
    """Prepare a batch; one that is prepared already stays as it is."""
    return prepare_batch(event.batch_id, batches=batch_repository(), files=batch_files, clock=SystemClock())
