"""State "Cancel batch runs": cancels the runs of a batch that are under way."""

from upcall import config
from upcall.aws import sqs, step_functions
from upcall.aws.batch_repository import batch_repository
from upcall.aws.run_repository import run_repository
from upcall.aws.secrets_manager import secrets_provider
from upcall.domain.caller import Caller
from upcall.domain.model import Model
from upcall.domain.run import Run
from upcall.lambda_runtime.clock import SystemClock
from upcall.lambda_runtime.init import load_at_init
from upcall.lambda_runtime.workflow_task import workflow_task
from upcall.run_apis import get_run_api
from upcall.run_apis.client import load_sdk
from upcall.use_cases.cancel_batch_runs import RunsCancelled, cancel_batch_runs
from upcall.use_cases.cancel_run import cancel_run

load_sdk()
load_at_init(run_repository, batch_repository, secrets_provider, step_functions.get_client)


class CancelBatchRuns(Model):
    """The batch."""

    batch_id: str


@workflow_task
def lambda_handler(event: CancelBatchRuns) -> RunsCancelled:
    """Cancel the runs of a batch."""
    return cancel_batch_runs(
        event.batch_id,
        one_tenant=config.one_tenant(),
        batches=batch_repository(),
        cancel_run=_cancel_run,
        clock=SystemClock(),
    )


def _cancel_run(run_id: str, caller: Caller) -> Run:
    return cancel_run(
        run_id,
        caller,
        repository=run_repository(),
        get_run_api=get_run_api,
        workflow=step_functions,
        ended_executions=sqs,
        clock=SystemClock(),
    )
