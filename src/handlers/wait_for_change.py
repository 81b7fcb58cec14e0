"""State "Wait for change": waits until a webhook says that the run has changed."""

from upcall.aws import step_functions
from upcall.aws.run_repository import run_repository
from upcall.aws.secrets_manager import secrets_provider
from upcall.domain.limits import Counters, Limits
from upcall.domain.model import Model
from upcall.domain.prices import Price
from upcall.domain.upstream_run import UpstreamRun, UpstreamSnapshot
from upcall.domain.waiting_task import WaitingTask
from upcall.lambda_runtime.clock import SystemClock
from upcall.lambda_runtime.init import load_at_init
from upcall.lambda_runtime.workflow_task import waiting_task
from upcall.run_apis import get_run_api
from upcall.run_apis.client import load_sdk
from upcall.use_cases.wait_for_change import wait_for_change

load_sdk()
load_at_init(run_repository, secrets_provider, step_functions.get_client)


class WaitForChange(Model):
    """The run to wait for, where it lives upstream, its limits, and what it has used of them."""

    run_id: str
    upstream_run: UpstreamRun
    limits: Limits
    counters: Counters
    price: Price | None = None
    task_token: str = ""


@waiting_task(step_functions.complete_task)
def lambda_handler(event: WaitForChange) -> UpstreamSnapshot | None:
    """Look at the run once. None if it has not changed: a webhook will complete the task."""
    clock = SystemClock()
    task = WaitingTask(**dict(event), since=clock.now())
    return wait_for_change(task, repository=run_repository(), get_run_api=get_run_api, clock=clock)
