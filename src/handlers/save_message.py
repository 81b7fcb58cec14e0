"""State "Save message": saves the final message of a completed run, once."""

from upcall import config
from upcall.aws import eventbridge, step_functions
from upcall.aws.batch_repository import batch_repository
from upcall.aws.run_repository import run_repository
from upcall.aws.secrets_manager import secrets_provider
from upcall.domain.model import Model
from upcall.domain.upstream_run import UpstreamRun
from upcall.lambda_runtime.clock import SystemClock
from upcall.lambda_runtime.init import load_at_init
from upcall.lambda_runtime.workflow_task import workflow_task
from upcall.run_apis import get_run_api
from upcall.run_apis.client import load_sdk
from upcall.use_cases.end_run import RunEnded
from upcall.use_cases.save_message import save_message

load_sdk()
load_at_init(run_repository, secrets_provider, eventbridge.get_client, step_functions.get_client)


class SaveMessage(Model):
    """The completed run, and where it lives upstream."""

    run_id: str
    upstream_run: UpstreamRun


@workflow_task
def lambda_handler(event: SaveMessage) -> RunEnded:
    """Save the message; a run that has ended already stays as it is."""
    return save_message(
        event.run_id,
        event.upstream_run,
        repository=run_repository(),
        get_run_api=get_run_api,
        publisher=eventbridge,
        batches=batch_repository(),
        waiting_tasks=step_functions,
        prices=config.price_list(),
        clock=SystemClock(),
    )
