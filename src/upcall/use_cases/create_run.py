"""Create a run upstream, once, however often this is tried. Also requests a turn of it again that failed.

What the run is about to be created with is recorded first. A second try finds it, and with it what the first
try has created.
"""

from upcall.domain.assistants import find_assistant
from upcall.domain.caller import may_read_stack_data
from upcall.domain.limits import Limits
from upcall.domain.upstream_errors import UpstreamErrors
from upcall.domain.upstream_run import UpstreamRun
from upcall.domain.usage import NO_USAGE, Usage
from upcall.run_apis.base import UpstreamRequest
from upcall.use_cases.interfaces import Clock, GetRunApi, RunRepository, Tools
from upcall.use_cases.upstream_request import (
    UpstreamResult,
    cancel_upstream_if_ended,
    send_upstream_request,
)


class RunCreated(UpstreamResult):
    """The result of the creation, and what the workflow needs to know of the run: tools, limits, counters."""

    tools: tuple[str, ...]
    limits: Limits
    round: int
    tokens: int
    tool_calls: int


def create_run(
    run_id: str,
    seconds: float,
    errors: UpstreamErrors,
    failed: UpstreamRun | None = None,
    usage: Usage = NO_USAGE,
    *,
    one_tenant: bool,
    repository: RunRepository,
    get_run_api: GetRunApi,
    tools: Tools,
    clock: Clock,
) -> RunCreated:
    """Create a run that was started `seconds` ago, after `errors` of earlier tries.

    If `failed` says where the run lives, its newest turn there failed, used these tokens, and is requested
    again.

    Raises NotFound, RunAlreadyEnded.
    """
    run = repository.get_run(run_id)
    assistant = find_assistant(run.assistant)
    allowed = tools.allowed(
        assistant.tools, may_read_stack_data=may_read_stack_data(run, one_tenant=one_tenant)
    )
    request = UpstreamRequest(run, assistant, tools.definitions(allowed))
    if run.upstream_run != failed:  # an earlier try has recorded it
        usage = NO_USAGE
    result = send_upstream_request(
        lambda: _create(request, failed, usage, repository, get_run_api), run.limits, seconds, errors, clock
    )
    return RunCreated(
        **dict(result),
        tools=allowed,
        limits=run.limits,
        round=run.round,
        tokens=(run.usage + usage).total_tokens,
        tool_calls=run.tool_calls,
    )


def _create(
    request: UpstreamRequest,
    failed: UpstreamRun | None,
    usage: Usage,
    repository: RunRepository,
    get_run_api: GetRunApi,
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
        repository.record_creation(run, upstream_run, usage)
    return upstream_run
