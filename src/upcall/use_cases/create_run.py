"""Create a run upstream, once, however often this is tried. Also requests a turn of it again that failed.

What the run is about to be created with is recorded first. A second try finds it, and with it what the first
try has created.
"""

from collections.abc import Mapping
from typing import Any

from pydantic_core import to_jsonable_python

from upcall.domain.completion_window import CompletionWindow
from upcall.domain.limits import Counters, Limits
from upcall.domain.prices import Price, PriceList
from upcall.domain.rate_limit import Ticket
from upcall.domain.run import Updates
from upcall.domain.run_log import RATE_LIMIT
from upcall.domain.upstream_errors import UpstreamErrors
from upcall.domain.upstream_run import UpstreamRun, UpstreamSnapshot
from upcall.domain.usage import NO_USAGE, Usage
from upcall.domain.waiting_task import WaitingTask
from upcall.run_apis.base import UpstreamRequest
from upcall.use_cases.interfaces import Clock, GetRunApi, RateLimitRepository, RunRepository, Tools
from upcall.use_cases.turn_pacing import TurnPacing
from upcall.use_cases.upstream_request import build_request, cancel_upstream_if_ended, send_upstream_request
from upcall.use_cases.wait_for_change import wait_or_poll


class RunCreated(UpstreamSnapshot):
    """How the run stands, and what the workflow needs of it: where it lives, tools, limits, counters.

    `approval` has the assistant's rules of when a person must approve a call, `tools` the other tools with
    functions: so a workflow that knows no approvals does not call a tool that has a rule. `tokens` and `usd`
    are those of the turns before, `price` is that of the run's model. Without `upstream_run` nothing was
    created: the request is repeated after `pause_seconds`, with its `ticket` for the server's rate limit, or
    the run has failed.
    """

    upstream_run: UpstreamRun | None = None
    updates: Updates
    stream: bool = False
    tools: tuple[str, ...]
    approval: Mapping[str, str]
    limits: Limits
    completion_window: CompletionWindow | None
    round: int
    tokens: int
    usd: float | None
    price: Price | None
    answered_calls: int
    ticket: Ticket | None = None


def create_run(
    run_id: str,
    task_token: str,
    seconds: float,
    errors: UpstreamErrors,
    failed: UpstreamRun | None = None,
    usage: Usage = NO_USAGE,
    ticket: Ticket | None = None,
    *,
    may_wait: bool,
    webhooks: bool,
    window_seconds: float,
    one_tenant: bool,
    repository: RunRepository,
    rate_limits: RateLimitRepository,
    get_run_api: GetRunApi,
    tools: Tools,
    prices: PriceList,
    clock: Clock,
) -> RunCreated | None:
    """Create a run that was started `seconds` ago, after `errors` of earlier tries; wait until it changes.

    If `failed` says where the run lives, its newest turn there failed, used these tokens, and is requested
    again. With `webhooks`, a run whose server sends them waits for one if it `may_wait`: then the result is
    None, and a webhook completes the task of this token. If it may not, it is looked at once. Other runs are
    polled for a window.

    Raises NotFound, RunAlreadyEnded.
    """
    start = clock.monotonic()
    run = repository.get_run(run_id)
    webhooks = webhooks and not run.stream  # what records the text sees the end of the turn, too
    request, allowed = build_request(run, tools, one_tenant=one_tenant)
    approval = request.assistant.approval
    recorded = run.upstream_run != failed  # by an earlier try
    if recorded:
        usage = NO_USAGE
    result = send_upstream_request(
        lambda: _create(request, failed, usage, repository, get_run_api, webhooks=webhooks),
        run.limits,
        seconds,
        errors,
        clock,
        None if recorded else TurnPacing(rate_limits, run.model, clock, ticket),
    )
    updates = _updates(result.upstream_run, get_run_api, webhooks=webhooks)
    created: dict[str, Any] = {
        "upstream_run": result.upstream_run,
        "updates": updates,
        "stream": run.stream,
        "tools": tuple(name for name in allowed if name not in approval),
        "approval": {name: rule for name, rule in approval.items() if name in allowed},
        "limits": run.limits,
        "completion_window": run.completion_window,
        "round": run.round,
        "tokens": (run.usage + usage).total_tokens,
        "usd": (run.usage + usage).usd,
        "price": prices.find(run.model, run.completion_window),
        "answered_calls": run.tool_calls,
        "ticket": result.ticket,
    }
    if result.upstream_run is None:
        if result.failure is None:
            repository.record_pause(run_id, result.errors.last or RATE_LIMIT, result.pause_seconds)
        return RunCreated(
            status=result.failure.status if result.failure else "queued",
            failure=result.failure,
            pause_seconds=result.pause_seconds,
            errors=result.errors,
            **created,
        )
    task = WaitingTask(
        run_id=run_id,
        task_token=task_token,
        upstream_run=result.upstream_run,
        limits=run.limits,
        counters=Counters(
            seconds=seconds + clock.monotonic() - start,
            rounds=run.round,
            tool_calls=run.tool_calls,
            tokens=created["tokens"],
            usd=created["usd"],
            errors=result.errors,
        ),
        price=created["price"],
        since=clock.now(),
        result={name: to_jsonable_python(value) for name, value in created.items()},
    )
    snapshot = wait_or_poll(
        task,
        window_seconds,
        pushed=updates == "pushed",
        may_wait=may_wait,
        stream=run.stream,
        repository=repository,
        get_run_api=get_run_api,
        clock=clock,
    )
    return RunCreated(**dict(snapshot), **created) if snapshot else None


def _updates(upstream_run: UpstreamRun | None, get_run_api: GetRunApi, *, webhooks: bool) -> Updates:
    """How the workflow learns of changes of this run."""
    if upstream_run is None or not webhooks:
        return "polled"
    return "pushed" if get_run_api(upstream_run.run_api).webhook_id(upstream_run) else "polled"


def _create(
    request: UpstreamRequest,
    failed: UpstreamRun | None,
    usage: Usage,
    repository: RunRepository,
    get_run_api: GetRunApi,
    *,
    webhooks: bool,
) -> UpstreamRun:
    run = request.run
    if run.upstream_run is not None and run.upstream_run != failed:
        return run.upstream_run
    run_api = get_run_api(run.run_api)
    intent = run.intent
    if intent is None:
        intent = run_api.prepare(request)
        repository.record_intent(run, intent)
    answered_calls = repository.get_ledger(run.run_id) if run.round else []
    if failed is None:
        upstream_run = run_api.create(request, intent, answered_calls)
    else:
        upstream_run = run_api.repeat(request, failed, answered_calls)
    with cancel_upstream_if_ended(run_api, upstream_run):
        updates = _updates(upstream_run, get_run_api, webhooks=webhooks)
        repository.record_creation(run, upstream_run, updates, usage)
    return upstream_run
