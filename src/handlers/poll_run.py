"""State "Poll run": polls the run upstream for one poll window, and returns its status."""

from upcall import config
from upcall.aws.run_repository import run_repository
from upcall.aws.secrets_manager import secrets_provider
from upcall.domain.completion_window import CompletionWindow
from upcall.domain.limits import Counters, Limits
from upcall.domain.model import Model
from upcall.domain.prices import Price
from upcall.domain.upstream_run import UpstreamRun, UpstreamSnapshot
from upcall.lambda_runtime.clock import SystemClock
from upcall.lambda_runtime.init import load_at_init
from upcall.lambda_runtime.workflow_task import workflow_task
from upcall.run_apis import get_run_api
from upcall.run_apis.client import load_sdk
from upcall.use_cases.poll_run import poll_run

load_sdk()
load_at_init(secrets_provider)


class PollRun(Model):
    """The run to poll, where it lives upstream, its limits, and what it has used of them.

    `waited_seconds` is how long the model has been at work, of the completion window that it has if any.
    `price` is that of its model. With `stream`, its text is recorded as the model writes it.
    """

    run_id: str
    upstream_run: UpstreamRun
    limits: Limits
    counters: Counters
    waited_seconds: float = 0
    completion_window: CompletionWindow | None = None
    price: Price | None = None
    stream: bool = False


@workflow_task
def lambda_handler(event: PollRun) -> UpstreamSnapshot:
    """Return as soon as something changes, or when the window ends."""
    return poll_run(
        event.run_id,
        event.upstream_run,
        event.limits,
        event.counters,
        config.poll_window_seconds(),
        event.waited_seconds,
        event.completion_window,
        event.price,
        stream=event.stream,
        repository=run_repository(),
        get_run_api=get_run_api,
        clock=SystemClock(),
    )
