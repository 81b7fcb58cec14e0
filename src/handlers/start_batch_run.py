"""State "Start batch run": starts the run of one line of a batch, whose end completes the task."""

from upcall import config
from upcall.aws import batch_files, s3, step_functions
from upcall.aws.batch_repository import batch_repository
from upcall.aws.run_repository import run_repository
from upcall.domain.batch import Batch, LineSource
from upcall.domain.caller import Caller
from upcall.domain.model import Model
from upcall.domain.run import Run
from upcall.domain.run_request import RunRequest
from upcall.lambda_runtime.clock import SystemClock
from upcall.lambda_runtime.init import load_at_init
from upcall.lambda_runtime.workflow_task import waiting_task
from upcall.run_apis import get_run_api
from upcall.use_cases.start_batch_run import LineEnded, start_batch_run
from upcall.use_cases.start_run import RunDefaults, start_run
from upcall.web.callback_urls import check_callback_url

load_at_init(run_repository, batch_repository, s3.get_client, step_functions.get_client)


class StartBatchRun(Model):
    """A line of a batch: where its input lies. `attempt` is that of the batch's execution."""

    batch_id: str
    attempt: int
    source: LineSource
    task_token: str = ""


@waiting_task(step_functions.complete_task)
def lambda_handler(event: StartBatchRun) -> LineEnded | None:
    """Start the run of the line. None if the end of the run completes the task."""
    return start_batch_run(
        event.batch_id,
        event.attempt,
        event.source,
        event.task_token,
        one_tenant=config.one_tenant(),
        batches=batch_repository(),
        files=batch_files,
        workflow=step_functions,
        start_run=_start_run,
    )


def _start_run(request: RunRequest, caller: Caller, batch: Batch, line: int) -> Run:
    return start_run(
        request,
        caller,
        batch_line=(batch, line),
        defaults=RunDefaults(config.model(), config.run_api(), config.default_quota(), config.price_list()),
        repository=run_repository(),
        get_run_api=get_run_api,
        workflow=step_functions,
        check_callback_url=check_callback_url,
        clock=SystemClock(),
    )
