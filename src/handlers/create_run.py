"""State "Create run": creates the run upstream, once, and returns its tools, limits and counters."""

import tools
from upcall import config
from upcall.aws.run_repository import run_repository
from upcall.aws.secrets_manager import secrets_provider
from upcall.domain.model import Model
from upcall.domain.upstream_errors import NO_ERRORS, UpstreamErrors
from upcall.domain.upstream_run import UpstreamRun
from upcall.domain.usage import NO_USAGE, Usage
from upcall.lambda_runtime.clock import SystemClock
from upcall.lambda_runtime.init import load_at_init
from upcall.lambda_runtime.workflow_task import workflow_task
from upcall.run_apis import get_run_api
from upcall.run_apis.client import load_sdk
from upcall.use_cases.create_run import RunCreated, create_run

load_sdk()
load_at_init(run_repository, secrets_provider)


class CreateRun(Model):
    """The run to create, or one whose turn failed there and is requested again, and its age in seconds.

    `usage` are the tokens of the turn that failed.
    """

    run_id: str
    seconds: float
    errors: UpstreamErrors = NO_ERRORS
    failed_upstream_run: UpstreamRun | None = None
    usage: Usage = NO_USAGE


@workflow_task
def lambda_handler(event: CreateRun) -> RunCreated:
    """Create the run, unless an earlier try has done so."""
    return create_run(
        event.run_id,
        event.seconds,
        event.errors,
        event.failed_upstream_run,
        event.usage,
        one_tenant=config.one_tenant(),
        repository=run_repository(),
        get_run_api=get_run_api,
        tools=tools,
        clock=SystemClock(),
    )
