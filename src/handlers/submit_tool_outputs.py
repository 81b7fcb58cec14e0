"""State "Submit tool outputs": submits all outputs of a round at once, and waits until the run changes."""

import tools
from upcall import config
from upcall.aws import step_functions
from upcall.aws.dynamodb import run_table
from upcall.aws.rate_limit_repository import DynamoDBRateLimitRepository
from upcall.aws.run_repository import run_repository
from upcall.aws.secrets_manager import secrets_provider
from upcall.domain.model import Model
from upcall.domain.rate_limit import Ticket
from upcall.domain.tool_calls import ToolCall
from upcall.domain.upstream_errors import NO_ERRORS, UpstreamErrors
from upcall.domain.upstream_run import UpstreamRun
from upcall.domain.usage import Usage
from upcall.lambda_runtime.clock import SystemClock
from upcall.lambda_runtime.init import load_at_init
from upcall.lambda_runtime.workflow_task import waiting_task
from upcall.run_apis import get_run_api
from upcall.run_apis.client import load_sdk, server_fingerprint
from upcall.use_cases.submit_tool_outputs import OutputsSubmitted, submit_tool_outputs

load_sdk()
load_at_init(run_repository, secrets_provider, step_functions.get_client)


class SubmitToolOutputs(Model):
    """A round: its number from 1 on, its calls, their results in the same order, and its tokens.

    `seconds` is how long ago the execution was started, `ticket` a place in the queue for the rate limit.
    """

    run_id: str
    upstream_run: UpstreamRun
    round: int
    tool_calls: tuple[ToolCall, ...]
    tool_outputs: tuple[object, ...]
    usage: Usage
    seconds: float
    errors: UpstreamErrors = NO_ERRORS
    ticket: Ticket | None = None
    task_token: str = ""
    may_wait: bool = False


@waiting_task(step_functions.complete_task)
def lambda_handler(event: SubmitToolOutputs) -> OutputsSubmitted | None:
    """Submit the outputs, unless an earlier try has done so. None if a webhook will complete the task."""
    return submit_tool_outputs(
        event.run_id,
        event.task_token,
        event.upstream_run,
        event.round,
        event.tool_calls,
        event.tool_outputs,
        event.usage,
        event.seconds,
        event.errors,
        event.ticket,
        may_wait=event.may_wait,
        window_seconds=config.poll_window_seconds(),
        one_tenant=config.one_tenant(),
        repository=run_repository(),
        rate_limits=DynamoDBRateLimitRepository(run_table, server_fingerprint),
        get_run_api=get_run_api,
        tools=tools,
        prices=config.price_list(),
        clock=SystemClock(),
    )
