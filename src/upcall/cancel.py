"""How a run is called off: in the table, upstream, and in the workflow."""

from upcall.caller import callers_run
from upcall.errors import RunEnded, TryAgain
from upcall.log import logger
from upcall.models import Failure, Usage
from upcall.queues import tell_of_end
from upcall.run import Run
from upcall.run_apis import run_api
from upcall.store import run_store
from upcall.workflow import stop_execution

CANCELLED = Failure(status="cancelled", code="cancelled", message="Cancelled on request.")

TRIES = 5
"""A record that moves on to its next round meanwhile is read again, so often at most."""


def cancel(run_id: str) -> Run:
    """Cancel a run. Raises NotFound, and RunEnded for a run that has ended.

    The record goes first: from then on nothing late is stored, and whoever creates something upstream
    for the run finds it ended and cancels that itself. The end of the execution has the run announced,
    and cancelled upstream once more, should the server not be reached here. A request that died on the way is
    brought to its end by the next one, which is told all the same that the run has ended.
    """
    run = _ended(run_id)
    _stop(run)
    return run


def _stop(run: Run) -> None:
    if run.handle is not None:
        try:
            run_api(run.run_api).cancel(run.handle)
        except TryAgain:
            logger.exception("not cancelled upstream", run_id=run.run_id)
    if not stop_execution(run, CANCELLED.code, CANCELLED.message):
        tell_of_end(run.execution, "ABORTED", CANCELLED.code, CANCELLED.message)


def _ended(run_id: str) -> Run:
    for _ in range(TRIES):
        run = callers_run(run_id)
        if run.failure == CANCELLED:
            _stop(run)
        if run.ended:
            raise RunEnded(f"run {run_id} has ended already: it is {run.status}")
        try:
            return run_store().failed(run, CANCELLED, Usage())
        except RunEnded:
            continue
    raise RunEnded(f"run {run_id} could not be cancelled: it keeps moving")
