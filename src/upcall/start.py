"""How a run begins, whoever asks for it: a record in the table, then an execution of its own name."""

import json
from functools import cache
from typing import TYPE_CHECKING

import boto3

from upcall import run_apis, settings
from upcall.assistants import assistant
from upcall.errors import FieldError, InvalidInput, NotFound
from upcall.run import Run, RunRequest
from upcall.store import run_store

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


def start(request: RunRequest) -> Run:
    """Record a run and start the workflow on it. Raises InvalidInput for an unknown assistant.

    The record comes first: a run that could not be started is there to be seen, and a workflow never
    looks for a record that is not yet written.
    """
    try:
        chosen = assistant(request.assistant)
    except NotFound as error:
        raise InvalidInput(FieldError("assistant", str(error))) from error
    run = Run.new(
        prompt=request.prompt,
        assistant=chosen.name,
        model=request.model or chosen.model or settings.model(),
        run_api=run_apis.DEFAULT,
    )
    run_store().add(run)
    _workflow().start_execution(
        stateMachineArn=settings.state_machine_arn(),
        name=run.run_id,
        input=json.dumps({"run_id": run.run_id}),
    )
    return run


@cache
def _workflow() -> "SFNClient":
    return boto3.client("stepfunctions")
