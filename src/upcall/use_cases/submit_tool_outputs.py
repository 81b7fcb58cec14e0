"""Submit the outputs of a round, all at once, and write them to the ledger."""

from collections.abc import Sequence

from upcall.domain.assistants import find_assistant
from upcall.domain.caller import may_read_stack_data
from upcall.domain.tool_calls import LedgerEntry, ToolCall, ToolOutput
from upcall.domain.upstream_errors import UpstreamErrors
from upcall.domain.upstream_run import UpstreamRun
from upcall.domain.usage import Usage
from upcall.run_apis.base import UpstreamRequest
from upcall.use_cases.interfaces import Clock, GetRunApi, RunRepository, Tools
from upcall.use_cases.upstream_request import (
    UpstreamResult,
    cancel_upstream_if_ended,
    send_upstream_request,
)


def submit_tool_outputs(
    run_id: str,
    upstream_run: UpstreamRun,
    round: int,  # noqa: A002  # the field's word
    calls: Sequence[ToolCall],
    results: Sequence[object],
    usage: Usage,
    seconds: float,
    errors: UpstreamErrors,
    *,
    one_tenant: bool,
    repository: RunRepository,
    get_run_api: GetRunApi,
    tools: Tools,
    clock: Clock,
) -> UpstreamResult:
    """Submit a round: its number from 1 on, its calls, and the result of each in the same order.

    A round that an earlier try has submitted is not submitted again. Raises NotFound, TransientError,
    RunAlreadyEnded.
    """
    run = repository.get_run(run_id)
    if run.upstream_run is not None and run.round >= round:
        return UpstreamResult(upstream_run=run.upstream_run)
    assistant = find_assistant(run.assistant)
    allowed = tools.allowed(
        assistant.tools, may_read_stack_data=may_read_stack_data(run, one_tenant=one_tenant)
    )
    request = UpstreamRequest(run, assistant, tools.definitions(allowed))
    answers = tuple(
        LedgerEntry(round=round, position=position, call=call, output=ToolOutput.from_result(call, result))
        for position, (call, result) in enumerate(zip(calls, results, strict=True), start=1)
    )
    run_api = get_run_api(upstream_run.run_api)

    def submit() -> UpstreamRun:
        next_upstream_run = run_api.submit(request, upstream_run, answers)
        with cancel_upstream_if_ended(run_api, next_upstream_run):
            repository.record_round(run, next_upstream_run, answers, usage)
        return next_upstream_run

    result = send_upstream_request(submit, run.limits, seconds, errors, clock)
    return result.model_copy(update={"upstream_run": result.upstream_run or upstream_run})
