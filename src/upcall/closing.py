"""How a run ends whose execution ended otherwise than by the workflow's own last states.

It is recorded, cancelled upstream and announced, each at least once and the record exactly once. An
ending that the workflow has announced itself is left alone: its execution failed with a cause that its
last state alone gives. The code would not tell: what fails a run may befall its ending, too.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field, ValidationError

from upcall.bus import announce
from upcall.errors import InvalidInput, NotFound, RunEnded
from upcall.field_errors import field_errors
from upcall.log import about, logger
from upcall.models import Failure, FailureStatus, Usage
from upcall.run import Ending, Run
from upcall.run_apis import run_api
from upcall.store import run_store

WORKFLOWS_OWN_CAUSE: Final = "The record of the run says why."
"""The cause with which the workflow's last state fails, after it has recorded and announced the ending."""

MAX_WORDS: Final = 1000


class _End(BaseModel):
    """What Step Functions says of an execution that has ended."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    status: Literal["FAILED", "TIMED_OUT", "ABORTED", "SUCCEEDED"]
    error: str | None = None
    cause: str | None = None


class _Told(BaseModel):
    detail: _End


_STATUSES: Final[Mapping[str, FailureStatus]] = {"ABORTED": "cancelled"}

_WORDS: Final = {
    "ABORTED": "The execution was stopped.",
    "TIMED_OUT": "The execution took longer than the workflow allows.",
    "FAILED": "The execution failed.",
    "SUCCEEDED": "The execution ended without an ending of the run.",
}


def close_told(body: str) -> None:
    """Close the run of an execution, as an event tells of its end. Raises InvalidInput, TryAgain."""
    try:
        end = _Told.model_validate_json(body).detail
    except ValidationError as error:
        raise InvalidInput(*field_errors(error)) from error
    with about(run_id=end.name):
        _close(end)


def _close(end: _End) -> None:
    try:
        run = run_store().get(end.name.partition("-")[0])
    except NotFound:  # it has left the table: nobody waits for it any more
        logger.warning("no run to close")
        return
    if end.name != run.execution:  # of an attempt that was given up for a new one
        return
    if run.ended and _told_by_workflow(end):
        return
    if not run.ended:
        run = _ended(run, end)
        logger.info("run closed", status=run.status)
    if not run.announced:
        announce(Ending.of(run, run_store().message(run)))
        run_store().announced(run)
    if run.handle is not None and run.status != "completed":
        run_api(run.run_api).cancel(run.handle)


def _told_by_workflow(end: _End) -> bool:
    return end.status == "FAILED" and end.cause == WORKFLOWS_OWN_CAUSE


def _ended(run: Run, end: _End) -> Run:
    code = end.error or f"execution_{end.status.lower()}"
    words = f"{_WORDS[end.status]} {end.cause or ''}".strip()[:MAX_WORDS]
    failure = Failure(status=_STATUSES.get(end.status, "failed"), code=code, message=words)
    try:
        return run_store().failed(run, failure, Usage())
    except RunEnded:
        return run_store().get(run.run_id)
