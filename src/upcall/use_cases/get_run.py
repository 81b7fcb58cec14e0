"""Show a run, after waiting until it has ended or needs its caller, if that is asked for (long polling)."""

from typing import Final

from upcall.domain.caller import Caller
from upcall.domain.open_calls import needs_caller
from upcall.domain.run import Run
from upcall.domain.views import RunView
from upcall.use_cases.interfaces import Clock, RunRepository

POLL_INTERVAL_SECONDS: Final = 0.5


def get_run(
    run_id: str, wait_seconds: float, caller: Caller, *, repository: RunRepository, clock: Clock
) -> RunView:
    """The run as its caller sees it, with the calls that wait for an answer from outside.

    With `wait_seconds`, once it has ended or waits for outputs of its caller, or after so many seconds.
    Raises NotFound.
    """
    deadline = clock.monotonic() + wait_seconds
    run = get_run_of_caller(run_id, caller, repository)
    while not (run.ended or needs_caller(run.waiting_calls)) and (left := deadline - clock.monotonic()) > 0:
        clock.sleep(min(POLL_INTERVAL_SECONDS, left))
        run = repository.get_run(run_id)
    return view_of(run, repository)


def view_of(run: Run, repository: RunRepository) -> RunView:
    """The view of a run, with its message and the calls that wait."""
    calls = repository.list_open_calls(run) if run.waiting_calls else []
    return RunView.of(run, repository.get_message(run), [each for each in calls if each.answer is None])


def get_run_of_caller(run_id: str, caller: Caller, repository: RunRepository) -> Run:
    """The record of a run that the caller may see. Raises NotFound, also for a run of another caller."""
    run = repository.get_run(run_id)
    caller.check_access(run)
    return run
