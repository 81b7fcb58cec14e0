"""How a run that has ended without a message is tried again: the same run, in a new execution."""

from upcall.caller import callers_run
from upcall.errors import CannotRetry
from upcall.run import Run
from upcall.store import run_store
from upcall.workflow import execution_end, start_execution

MAX_ATTEMPTS = 10


def retry(run_id: str) -> Run:
    """Open a run again and start the workflow on it. Raises NotFound, CannotRetry.

    What its tools have answered is not asked for again: the model gets the ledger. The Assistants API
    cannot be given calls and outputs, so there only a run that has called no tool can be tried again.
    """
    run = callers_run(run_id)
    if not run.ended:
        raise CannotRetry(f"run {run_id} has not ended: it is {run.status}")
    if run.status == "completed":
        raise CannotRetry(f"run {run_id} is completed; only a run without a message can be tried again")
    if run.run_api == "assistants" and run.round:
        raise CannotRetry("the assistants run API cannot go on where tools were called; start a new run")
    if run.attempt >= MAX_ATTEMPTS:
        raise CannotRetry(f"run {run_id} was tried {MAX_ATTEMPTS} times")
    end = execution_end(run)
    if end is not None and end.status == "RUNNING":
        raise CannotRetry(f"the execution of run {run_id} is about to end; try again in a moment")
    run = run_store().reopened(run)
    start_execution(run)
    return run
