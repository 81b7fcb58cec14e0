"""Start a batch: write its record and its inputs, then start its workflow."""

import hashlib
import json

from upcall.domain.assistants import find_assistant
from upcall.domain.batch import Batch, batch_id_of_key, new_batch_id
from upcall.domain.batch_request import BatchRequest
from upcall.domain.batch_view import BatchView
from upcall.domain.caller import Caller
from upcall.domain.errors import FieldError, IdempotencyKeyConflict, InvalidInput, NotFound
from upcall.domain.prices import PriceList, no_price
from upcall.observability.logging import logger
from upcall.use_cases.get_batch import view_batch
from upcall.use_cases.interfaces import BatchFiles, BatchRepository, BatchWorkflow, Clock
from upcall.use_cases.start_run import DEFAULT_ASSISTANT


def start_batch(
    request: BatchRequest,
    caller: Caller,
    idempotency_key: str | None = None,
    *,
    batches: BatchRepository,
    files: BatchFiles,
    workflow: BatchWorkflow,
    default_model: str,
    prices: PriceList,
    clock: Clock,
) -> BatchView:
    """Record a batch and start the workflow on it.

    The same request of an owner with the same key returns the same batch. If that is open and its execution
    is lost, it is started again, and goes on where it was. Raises IdempotencyKeyConflict for another request
    with that key. Raises InvalidInput for an assistant that does not exist, for a budget if no price is known
    for the model of lines that name none, and for an object of the bucket in a stack with several tenants:
    the object might be another's.
    """
    _check(request, caller, default_model, prices)
    now = clock.now()
    batch_id = batch_id_of_key(caller.name, idempotency_key) if idempotency_key else new_batch_id(now)
    fingerprint = hashlib.sha256(json.dumps(request.model_dump()).encode()).hexdigest()
    fields = request.model_dump(include=set(Batch.model_fields) - {"defaults", "input_key"})
    new = Batch(
        batch_id=batch_id,
        status="validating",
        owner=caller.name,
        started_by=caller.person,
        input_key=request.input_key or f"{batch_id}/request.jsonl",
        defaults=request.run_defaults(),
        fingerprint=fingerprint,
        created_at=now,
        **fields,
    )
    batch = batches.add_batch(new)
    if batch.fingerprint != fingerprint:
        raise IdempotencyKeyConflict("this idempotency key stands for another request")
    if not batch.ended:
        if request.inputs is not None and batch.lines is None:
            content = "".join(f"{json.dumps(each)}\n" for each in request.inputs)
            files.write_file(batch.input_key, content.encode(), "application/jsonl")
        batch = ensure_execution(batch, batches, workflow)
    logger.info("batch accepted", batch_id=batch.batch_id)
    return view_batch(batch, batches, clock)


def ensure_execution(batch: Batch, batches: BatchRepository, workflow: BatchWorkflow) -> Batch:
    """Start the workflow on an open batch, also if its last execution has ended without it."""
    if workflow.start_batch_execution(batch):
        return batch
    batch = batches.restart_batch(batch)
    if not batch.ended:
        workflow.start_batch_execution(batch)
    return batch


def _check(request: BatchRequest, caller: Caller, default_model: str, prices: PriceList) -> None:
    if request.input_key is not None and not caller.one_tenant:
        reason = "is only for stacks with one tenant; send the inputs themselves"
        raise InvalidInput(FieldError("input_key", reason))
    try:
        assistant = find_assistant(request.defaults.get("assistant") or DEFAULT_ASSISTANT)
    except NotFound as error:
        raise InvalidInput(FieldError("defaults.assistant", str(error))) from error
    model = request.defaults.get("model") or assistant.model or default_model
    if request.budget_usd is not None and prices.find(model) is None:
        raise InvalidInput(no_price("budget_usd", model))
