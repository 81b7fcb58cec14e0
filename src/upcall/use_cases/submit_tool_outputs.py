"""Submit the outputs of a round, all at once, and write them to the ledger."""

from collections.abc import Sequence

from upcall.domain.limits import Counters
from upcall.domain.prices import PriceList
from upcall.domain.rate_limit import Ticket
from upcall.domain.run import Run
from upcall.domain.run_log import RATE_LIMIT
from upcall.domain.tool_calls import LedgerEntry, ToolCall, ToolOutput
from upcall.domain.upstream_errors import UpstreamErrors
from upcall.domain.upstream_run import UpstreamRun, UpstreamSnapshot
from upcall.domain.usage import Usage
from upcall.domain.waiting_task import WaitingTask
from upcall.use_cases.interfaces import Clock, GetRunApi, RateLimitRepository, RunRepository, Tools
from upcall.use_cases.turn_pacing import TurnPacing
from upcall.use_cases.upstream_request import build_request, cancel_upstream_if_ended, send_upstream_request
from upcall.use_cases.wait_for_change import wait_or_poll


class OutputsSubmitted(UpstreamSnapshot):
    """How the run stands, and where it lives from now on.

    With `requires_action` and `pause_seconds` the outputs were not submitted: the request is repeated, with
    the `ticket` for the server's rate limit.
    """

    upstream_run: UpstreamRun
    ticket: Ticket | None = None


def submit_tool_outputs(
    run_id: str,
    task_token: str,
    upstream_run: UpstreamRun,
    round: int,  # noqa: A002  # the field's word
    calls: Sequence[ToolCall],
    results: Sequence[object],
    usage: Usage,
    seconds: float,
    errors: UpstreamErrors,
    ticket: Ticket | None = None,
    *,
    may_wait: bool,
    window_seconds: float,
    one_tenant: bool,
    repository: RunRepository,
    rate_limits: RateLimitRepository,
    get_run_api: GetRunApi,
    tools: Tools,
    prices: PriceList,
    clock: Clock,
) -> OutputsSubmitted | None:
    """Submit a round: its number from 1 on, its calls, and the result of each in the same order.

    Then wait until the run changes, as `create_run` does. A round that an earlier try has submitted is not
    submitted again. Raises NotFound, TransientError, RunAlreadyEnded.
    """
    start = clock.monotonic()
    run = repository.get_run(run_id)
    run_api = get_run_api(upstream_run.run_api)
    answers = tuple(
        _ledger_entry(run, round, position, call, ToolOutput.from_result(call, result), repository)
        for position, (call, result) in enumerate(zip(calls, results, strict=True), start=1)
    )

    def submit() -> UpstreamRun:
        if run.upstream_run is not None and run.round >= round:  # an earlier try has recorded it
            return run.upstream_run
        request, _ = build_request(run, tools, one_tenant=one_tenant)
        next_upstream_run = run_api.submit(request, upstream_run, answers)
        with cancel_upstream_if_ended(run_api, next_upstream_run):
            repository.record_round(run, next_upstream_run, answers, usage)
        return next_upstream_run

    recorded = run.round >= round
    pacing = None if recorded else TurnPacing(rate_limits, run.model, clock, ticket)
    result = send_upstream_request(submit, run.limits, seconds, errors, clock, pacing)
    if result.upstream_run is None:
        if result.failure is None:
            repository.record_pause(run_id, result.errors.last or RATE_LIMIT, result.pause_seconds)
        return OutputsSubmitted(
            status=result.failure.status if result.failure else "requires_action",
            failure=result.failure,
            still_running=result.failure is not None,
            pause_seconds=result.pause_seconds,
            errors=result.errors,
            upstream_run=upstream_run,
            ticket=result.ticket,
        )
    used = run.usage if recorded else run.usage + usage
    task = WaitingTask(
        run_id=run_id,
        task_token=task_token,
        upstream_run=result.upstream_run,
        limits=run.limits,
        counters=Counters(
            seconds=seconds + clock.monotonic() - start,
            rounds=round,
            tool_calls=run.tool_calls + (0 if recorded else len(calls)),
            tokens=used.total_tokens,
            usd=used.usd,
            errors=result.errors,
        ),
        price=prices.find(run.model, run.completion_window),
        since=clock.now(),
        result={"upstream_run": result.upstream_run.model_dump(mode="json"), "ticket": None},
    )
    snapshot = wait_or_poll(
        task,
        window_seconds,
        pushed=run.updates == "pushed",
        may_wait=may_wait,
        stream=run.stream,
        repository=repository,
        get_run_api=get_run_api,
        clock=clock,
    )
    return OutputsSubmitted(**dict(snapshot), upstream_run=result.upstream_run) if snapshot else None


def _ledger_entry(
    run: Run,
    round: int,  # noqa: A002  # the field's word
    position: int,
    call: ToolCall,
    output: ToolOutput,
    repository: RunRepository,
) -> LedgerEntry:
    entry = LedgerEntry(round=round, position=position, call=call, output=output)
    if output.waited_seconds is None:
        return entry
    open_call = repository.get_open_call(run, entry.id)
    decision = open_call.answer.decision if open_call and open_call.answer else None
    return entry.model_copy(update={"decision": decision})
