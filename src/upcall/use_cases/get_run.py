"""Show a run, after waiting until it has ended or needs its caller, if that is asked for (long polling)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from upcall.domain.caller import Caller
from upcall.domain.long_poll import RETRY_SECONDS, wait_limit
from upcall.domain.open_calls import needs_caller
from upcall.domain.run import Run
from upcall.domain.views import RunView
from upcall.use_cases.interfaces import Clock, RunRepository, WaitingRequests

POLL_INTERVAL_SECONDS: Final = 0.5

PLACE_MARGIN_SECONDS: Final = 5
"""A place is taken for so much longer than the wait, so that it is not given away while requests are slow."""


@dataclass(frozen=True)
class ShownRun:
    """The view of a run. `retry_after` says after how many seconds to repeat a request that may not wait."""

    view: RunView
    retry_after: int | None = None


def get_run(
    run_id: str,
    wait_seconds: float,
    caller: Caller,
    *,
    repository: RunRepository,
    waiting_requests: WaitingRequests,
    clock: Clock,
) -> ShownRun:
    """The run as its caller sees it, with the calls that wait for an answer from outside.

    With `wait_seconds`, once it has ended or waits for outputs of its caller, or after so many seconds. The
    wait is shorter if many requests of the caller wait, and there is none if too many do: each takes a
    function. Raises NotFound.
    """
    run = get_run_of_caller(run_id, caller, repository)
    waited = wait_for_run(
        run,
        _is_final,
        wait_seconds,
        caller,
        repository=repository,
        waiting_requests=waiting_requests,
        clock=clock,
    )
    return ShownRun(view_of(waited.run, repository), waited.retry_after)


@dataclass(frozen=True)
class WaitedRun:
    """A run after a wait. `retry_after` says after how many seconds to repeat a request that may not wait."""

    run: Run
    retry_after: int | None = None


def wait_for_run(
    run: Run,
    is_enough: Callable[[Run], bool],
    wait_seconds: float,
    caller: Caller,
    *,
    repository: RunRepository,
    waiting_requests: WaitingRequests,
    clock: Clock,
) -> WaitedRun:
    """Read a run again and again until it is as wanted, or for so many seconds, in a place for waiting."""
    deadline = clock.monotonic() + wait_seconds
    if is_enough(run) or wait_seconds <= 0:
        return WaitedRun(run)
    until = clock.now() + timedelta(seconds=wait_seconds + PLACE_MARGIN_SECONDS)
    place = waiting_requests.take_place(caller.name, clock.now(), until)
    if place is None:
        return WaitedRun(run, RETRY_SECONDS)
    try:
        deadline = min(deadline, clock.monotonic() + wait_limit(place, waiting_requests.places))
        while not is_enough(run) and (left := deadline - clock.monotonic()) > 0:
            clock.sleep(min(POLL_INTERVAL_SECONDS, left))
            run = repository.get_run(run.run_id)
    finally:
        waiting_requests.leave_place(caller.name, place)
    return WaitedRun(run)


def _is_final(run: Run) -> bool:
    """Whether there is nothing to wait for."""
    return run.ended or needs_caller(run.waiting_calls)


def view_of(run: Run, repository: RunRepository) -> RunView:
    """The view of a run, with its message and the calls that wait."""
    calls = repository.list_open_calls(run) if run.waiting_calls else []
    return RunView.of(run, repository.get_message(run), [each for each in calls if each.answer is None])


def get_run_of_caller(run_id: str, caller: Caller, repository: RunRepository) -> Run:
    """The record of a run that the caller may see. Raises NotFound, also for a run of another caller."""
    run = repository.get_run(run_id)
    caller.check_access(run)
    return run
