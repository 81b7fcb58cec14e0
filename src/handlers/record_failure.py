"""State "Record failure": ends a run that will have no message, in the table and upstream."""

from typing import Annotated

from pydantic import BeforeValidator

from upcall.aws import eventbridge, step_functions
from upcall.aws.batch_repository import batch_repository
from upcall.aws.run_repository import run_repository
from upcall.aws.secrets_manager import secrets_provider
from upcall.domain.failure import Failure, parse_caught_error
from upcall.domain.model import Model
from upcall.domain.usage import Usage
from upcall.lambda_runtime.clock import SystemClock
from upcall.lambda_runtime.init import load_at_init
from upcall.lambda_runtime.workflow_task import workflow_task
from upcall.run_apis import get_run_api
from upcall.run_apis.client import load_sdk
from upcall.use_cases.end_run import RunEnded
from upcall.use_cases.record_failure import record_failure

load_sdk()
load_at_init(run_repository, secrets_provider, eventbridge.get_client, step_functions.get_client)


class RecordFailure(Model):
    """Why the run ends, and whether it may still be running upstream."""

    run_id: str
    failure: Annotated[Failure, BeforeValidator(parse_caught_error)]
    still_running: bool = False
    usage: Usage = Usage()


@workflow_task
def lambda_handler(event: RecordFailure) -> RunEnded:
    """Record the failure; a run that has ended already keeps its status."""
    return record_failure(
        event.run_id,
        event.failure,
        event.usage,
        still_running=event.still_running,
        repository=run_repository(),
        get_run_api=get_run_api,
        publisher=eventbridge,
        batches=batch_repository(),
        waiting_tasks=step_functions,
        clock=SystemClock(),
    )
