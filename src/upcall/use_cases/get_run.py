"""Show a run, after waiting for its end if the caller asks for that (long polling)."""

from typing import Final

from upcall.domain.caller import Caller
from upcall.domain.run import Run
from upcall.domain.views import RunView
from upcall.use_cases.interfaces import Clock, RunRepository

POLL_INTERVAL_SECONDS: Final = 0.5


def get_run(
    run_id: str, wait_seconds: float, caller: Caller, *, repository: RunRepository, clock: Clock
) -> RunView:
    """The run as its caller sees it, once it has ended or after so many seconds. Raises NotFound."""
    deadline = clock.monotonic() + wait_seconds
    run = get_run_of_caller(run_id, caller, repository)
    while not run.ended and (left := deadline - clock.monotonic()) > 0:
        clock.sleep(min(POLL_INTERVAL_SECONDS, left))
        run = repository.get_run(run_id)
    return RunView.of(run, repository.get_message(run))


def get_run_of_caller(run_id: str, caller: Caller, repository: RunRepository) -> Run:
    """The record of a run that the caller may see. Raises NotFound, also for a run of another caller."""
    run = repository.get_run(run_id)
    caller.check_access(run)
    return run
