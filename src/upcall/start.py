"""How a run begins, whoever asks for it: a record in the table, then an execution of its own name."""

import hashlib

from upcall import settings
from upcall.assistants import assistant
from upcall.callback_url import check_callback_url
from upcall.caller import callers_run
from upcall.errors import FieldError, InvalidInput, KeyReused, NotFound
from upcall.log import logger
from upcall.run import Run
from upcall.run_request import RunRequest
from upcall.store import run_store
from upcall.workflow import start_execution

DEFAULT_ASSISTANT = "summarizer"


def start(request: RunRequest, owner: str, key: str | None = None) -> Run:
    """Record a run and start the workflow on it.

    The same request of an owner with the same `key` gives the same run, however often and at once it is
    made. Raises KeyReused for another request with that key.

    Assistant, model and run API are the request's; else those of the run that it continues; else, for
    the last two, the assistant's; else the deployment's. Raises InvalidInput for an assistant that does
    not exist, and for a run that cannot be continued.

    The record comes first: a run that could not be started is there to be seen, and a workflow never
    looks for a record that is not yet written.
    """
    previous = _previous(request)
    try:
        chosen = assistant(request.assistant or (previous.assistant if previous else DEFAULT_ASSISTANT))
    except NotFound as error:
        raise InvalidInput(FieldError("assistant", str(error))) from error
    run = Run.new(
        owner=owner,
        prompt=request.prompt,
        input=request.input,
        assistant=chosen.name,
        model=request.model or (previous.model if previous else None) or chosen.model or settings.model(),
        run_api=request.run_api
        or (previous.run_api if previous else None)
        or chosen.run_api
        or settings.run_api(),
        limits=chosen.limits.model_copy(update=request.limits.model_dump(exclude_none=True)),
        metadata=request.metadata,
        response_format=request.response_format,
        callback_url=request.callback_url,
        previous=previous,
    )
    _check_run_api(run)
    if run.callback_url:
        check_callback_url(run.callback_url)
    if key is not None:
        run = run.model_copy(update={"run_id": _claimed(key, run, request)})
    run = run_store().add(run)
    if run.status == "queued":
        start_execution(run)
    logger.info("run accepted", run_id=run.run_id)
    return run


def _claimed(key: str, run: Run, request: RunRequest) -> str:
    """The id of the run that the key stands for. Raises KeyReused where it stands for another request.

    Whoever finds a key whose run was not recorded or not started, because its first sender died, goes on
    where that one stopped.
    """
    claim = run_store().claim(key, run, _fingerprint(request))
    if claim.fingerprint != _fingerprint(request):
        raise KeyReused("this idempotency key stands for another request")
    return claim.run_id


def _fingerprint(request: RunRequest) -> str:
    return hashlib.sha256(request.model_dump_json().encode()).hexdigest()


def _previous(request: RunRequest) -> Run | None:
    """The run that the request continues. Raises InvalidInput where that is not possible."""
    if request.previous_run_id is None:
        return None
    field = "previous_run_id"
    try:
        previous = callers_run(request.previous_run_id)
    except NotFound as error:
        raise InvalidInput(FieldError(field, str(error))) from error
    if previous.status != "completed":
        reason = f"only a completed run can be continued; this one is {previous.status}"
        raise InvalidInput(FieldError(field, reason))
    if request.run_api not in (None, previous.run_api):
        reason = f"the run that it continues went through {previous.run_api}"
        raise InvalidInput(FieldError("run_api", reason))
    return previous


def _check_run_api(run: Run) -> None:
    """Raise InvalidInput for what the Agents API does not have."""
    if run.run_api != "agents":
        return
    if run.response_format is not None:
        raise InvalidInput(FieldError("response_format", "the agents run API has none"))
    if any(item.role != "user" for item in run.items):
        raise InvalidInput(FieldError("input", "the agents run API takes items of the user alone"))
