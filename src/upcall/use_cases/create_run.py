"""Create a run upstream, once, however often this is tried.

What the run is about to be created with is recorded first. A second try finds it, and with it what the first
try has created.
"""

from upcall.domain.assistants import find_assistant
from upcall.domain.caller import may_read_stack_data
from upcall.domain.limits import Limits
from upcall.domain.upstream_run import UpstreamRun
from upcall.run_apis.base import UpstreamRequest
from upcall.use_cases.interfaces import GetRunApi, RunRepository, Tools
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
    *,
    one_tenant: bool,
    repository: RunRepository,
    get_run_api: GetRunApi,
    tools: Tools,
) -> RunCreated:
    """Create a run that was started `seconds` ago. Raises NotFound, TransientError, RunAlreadyEnded."""
    run = repository.get_run(run_id)
    assistant = find_assistant(run.assistant)
    allowed = tools.allowed(
        assistant.tools, may_read_stack_data=may_read_stack_data(run, one_tenant=one_tenant)
    )
    request = UpstreamRequest(run, assistant, tools.definitions(allowed))
    result = send_upstream_request(lambda: _create(request, repository, get_run_api), run.limits, seconds)
    return RunCreated(
        **dict(result),
        tools=allowed,
        limits=run.limits,
        round=run.round,
        tokens=run.usage.total_tokens,
        tool_calls=run.tool_calls,
    )


def _create(request: UpstreamRequest, repository: RunRepository, get_run_api: GetRunApi) -> UpstreamRun:
    run = request.run
    if run.upstream_run is not None:
        return run.upstream_run
    run_api = get_run_api(run.run_api)
    intent = run.intent
    if intent is None:
        intent = run_api.prepare(request)
        repository.record_intent(run, intent)
    answered_calls = repository.get_ledger(run.run_id) if run.round else []
    upstream_run = run_api.create(request, intent, answered_calls)
    with cancel_upstream_if_ended(run_api, upstream_run):
        repository.record_creation(run, upstream_run)
    return upstream_run
