"""Start a run: write its record, then start an execution of its own name. Never calls OpenAI."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from upcall.domain.assistants import find_assistant
from upcall.domain.batch import Batch
from upcall.domain.caller import Caller
from upcall.domain.caller_tools import name_clash
from upcall.domain.completion_window import limits_for, window_exceeds_limit
from upcall.domain.errors import FieldError, IdempotencyKeyConflict, InvalidInput, NotFound
from upcall.domain.prices import PriceList, no_price
from upcall.domain.quota import NO_QUOTA, Quota
from upcall.domain.run import Run
from upcall.domain.run_request import RunRequest
from upcall.domain.trace_context import valid_traceparent
from upcall.domain.upstream_run import RunApiName
from upcall.observability.logging import logger
from upcall.use_cases.get_run import get_run_of_caller
from upcall.use_cases.interfaces import Clock, GetRunApi, RunRepository, Workflow

DEFAULT_ASSISTANT = "summarizer"


@dataclass(frozen=True)
class RunDefaults:
    """The deployment's model and run API, for runs whose request and assistant name none.

    `quota` is that of every caller for whom no other is set, `prices` are those of the models.
    """

    model: str
    run_api: RunApiName
    quota: Quota = NO_QUOTA
    prices: PriceList = field(default_factory=PriceList)


def start_run(
    request: RunRequest,
    caller: Caller,
    idempotency_key: str | None = None,
    batch_line: tuple[Batch, int] | None = None,
    traceparent: str | None = None,
    *,
    defaults: RunDefaults,
    repository: RunRepository,
    get_run_api: GetRunApi,
    workflow: Workflow,
    check_callback_url: Callable[[str], None],
    clock: Clock,
) -> Run:
    """Record a run and start the workflow on it.

    The same request of an owner with the same key returns the same run, however often and at once it is made.
    Raises IdempotencyKeyConflict for another request with that key.

    Assistant, model, run API, instructions and reasoning are those of the request, otherwise those of the run
    that it continues; model and run API otherwise those of the assistant, and otherwise the defaults. Another
    assistant has its own instructions. Raises InvalidInput for an assistant that does not exist, for a run
    that cannot be continued, for what the run API does not support, for a completion window that the run's
    time limit cuts off, and for a tool of the caller that has the name of one of the assistant's. Raises
    Stopped if an operator has stopped these runs, and QuotaExceeded.

    With `batch_line`, a batch and the number of one of its lines, the run has the id of that line's run. One
    that was started for it before is returned. With `traceparent`, the header of that name, the run's trace
    continues that of its caller; an invalid one is ignored.

    The record is written first, so that a run whose execution could not be started is visible, and the
    workflow always finds the record.
    """
    previous = _find_previous(request, caller, repository)
    try:
        assistant = find_assistant(
            request.assistant or (previous.assistant if previous else DEFAULT_ASSISTANT)
        )
    except NotFound as error:
        raise InvalidInput(FieldError("assistant", str(error))) from error
    run_api = (
        request.run_api or (previous.run_api if previous else None) or assistant.run_api or defaults.run_api
    )
    window = request.completion_window
    if window is None and get_run_api(run_api).has_completion_window():  # the assistant may be used with any
        window = assistant.completion_window
    limits = assistant.limits.model_copy(update=request.limits.model_dump(exclude_none=True))
    run = Run.new(
        created_at=clock.now(),
        owner=caller.name,
        started_by=caller.person,
        prompt=request.prompt,
        input=request.input,
        assistant=assistant.name,
        model=request.model or (previous.model if previous else None) or assistant.model or defaults.model,
        run_api=run_api,
        limits=limits if request.limits.seconds else limits_for(window, limits),
        metadata=request.metadata,
        response_format=request.response_format,
        instructions=request.instructions
        or (previous.instructions if previous and not request.assistant else None),
        temperature=request.temperature,
        max_output_tokens=request.max_output_tokens,
        reasoning=request.reasoning or (previous.reasoning if previous else None),
        completion_window=window,
        stream=request.stream,
        callback_url=request.callback_url,
        tools=request.tools,
        traceparent=valid_traceparent(traceparent),
        previous=previous,
    )
    if batch_line is not None:
        batch, line = batch_line
        run = run.model_copy(
            update={"run_id": batch.run_id(line), "batch_id": batch.batch_id, "batch_line": line}
        )
    if unsupported := get_run_api(run.run_api).unsupported_field(run):
        raise InvalidInput(unsupported)
    if too_long := window_exceeds_limit(run.completion_window, run.limits):
        raise InvalidInput(too_long)
    if run.limits.usd is not None and defaults.prices.find(run.model) is None:
        raise InvalidInput(no_price("limits.usd", run.model))
    if clash := name_clash(run.tools, assistant.tools):
        raise InvalidInput(clash)
    if run.callback_url:
        check_callback_url(run.callback_url)
    controls = repository.get_controls(run.owner, run.batch_id)
    controls.check()
    if idempotency_key is not None:
        fingerprint = hashlib.sha256(request.model_dump_json().encode()).hexdigest()
        claim = repository.claim_idempotency_key(idempotency_key, run, fingerprint)
        if claim.fingerprint != fingerprint:
            raise IdempotencyKeyConflict("this idempotency key stands for another request")
        run = run.model_copy(update={"run_id": claim.run_id})  # of a sender that died before it added the run
    run = repository.add_run(run, controls.quota(defaults.quota))
    if run.status == "queued":
        workflow.start_execution(run)
    logger.info("run accepted", run_id=run.run_id)
    return run


def _find_previous(request: RunRequest, caller: Caller, repository: RunRepository) -> Run | None:
    """The run that the request continues. Raises InvalidInput if that is not possible."""
    if request.previous_run_id is None:
        return None
    field = "previous_run_id"
    try:
        previous = get_run_of_caller(request.previous_run_id, caller, repository)
    except NotFound as error:
        raise InvalidInput(FieldError(field, str(error))) from error
    if previous.status != "completed":
        reason = f"only a completed run can be continued; this one is {previous.status}"
        raise InvalidInput(FieldError(field, reason))
    if request.run_api not in (None, previous.run_api):
        reason = f"the run that it continues used {previous.run_api}"
        raise InvalidInput(FieldError("run_api", reason))
    return previous
