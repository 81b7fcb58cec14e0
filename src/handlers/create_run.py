"""State "Create run": creates the run upstream, once, and waits until it changes."""

import tools
from upcall import config
from upcall.aws import step_functions
from upcall.aws.dynamodb import run_table
from upcall.aws.rate_limit_repository import DynamoDBRateLimitRepository
from upcall.aws.run_repository import run_repository
from upcall.aws.secrets_manager import secrets_provider
from upcall.domain.model import Model
from upcall.domain.rate_limit import Ticket
from upcall.domain.upstream_errors import NO_ERRORS, UpstreamErrors
from upcall.domain.upstream_run import UpstreamRun
from upcall.domain.usage import NO_USAGE, Usage
from upcall.lambda_runtime.clock import SystemClock
from upcall.lambda_runtime.init import load_at_init
from upcall.lambda_runtime.workflow_task import waiting_task
from upcall.run_apis import get_run_api
from upcall.run_apis.client import load_sdk, server_fingerprint
from upcall.use_cases.create_run import RunCreated, create_run

load_sdk()
load_at_init(run_repository, secrets_provider, step_functions.get_client)


class CreateRun(Model):
    """The run to create, or one whose turn failed there and is requested again, and its age in seconds.

    `failed_usage` are the tokens of the turn that failed, `ticket` a place in the queue for the rate limit.
    """

    run_id: str
    seconds: float
    errors: UpstreamErrors = NO_ERRORS
    failed_upstream_run: UpstreamRun | None = None
    failed_usage: Usage = NO_USAGE
    ticket: Ticket | None = None
    task_token: str = ""
    may_wait: bool = False


@waiting_task(step_functions.complete_task)
def lambda_handler(event: CreateRun) -> RunCreated | None:
    """Create the run, unless an earlier try has done so. None if a webhook will complete the task."""
    return create_run(
        event.run_id,
        event.task_token,
        event.seconds,
        event.errors,
        event.failed_upstream_run,
        event.failed_usage,
        event.ticket,
        may_wait=event.may_wait,
        webhooks=config.openai_webhook_secret_name() is not None,
        window_seconds=config.poll_window_seconds(),
        one_tenant=config.one_tenant(),
        repository=run_repository(),
        rate_limits=DynamoDBRateLimitRepository(run_table, server_fingerprint),
        get_run_api=get_run_api,
        tools=tools,
        prices=config.price_list(),
        clock=SystemClock(),
    )
