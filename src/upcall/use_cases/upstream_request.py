"""Requests that change a run upstream, as several use cases make them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from upcall.domain.assistants import find_assistant
from upcall.domain.caller import may_read_stack_data
from upcall.domain.caller_tools import definitions
from upcall.domain.errors import RequestRejected, RunAlreadyEnded, TransientError
from upcall.domain.failure import Failure, rejection
from upcall.domain.limits import Counters, Limits, exceeded
from upcall.domain.model import Model
from upcall.domain.rate_limit import ServerLimits, Ticket
from upcall.domain.run import Run
from upcall.domain.upstream_errors import NO_ERRORS, UpstreamErrors
from upcall.domain.upstream_run import UpstreamRun
from upcall.observability.logging import logger
from upcall.run_apis.base import (
    CANCEL_SECONDS,
    RunApi,
    UpstreamRequest,
    observe_server_limits,
    time_limit,
)
from upcall.use_cases.interfaces import Clock, GetRunApi, Tools
from upcall.use_cases.turn_pacing import TurnPacing

MIN_PAUSE_SECONDS = 1


class UpstreamResult(Model):
    """Where the run lives now, or how long to wait before the request is repeated, or a failure.

    `ticket` is the place in the queue of those who wait for the server's rate limit.
    """

    upstream_run: UpstreamRun | None = None
    pause_seconds: float = 0
    failure: Failure | None = None
    errors: UpstreamErrors = NO_ERRORS
    ticket: Ticket | None = None


def build_request(run: Run, tools: Tools, *, one_tenant: bool) -> tuple[UpstreamRequest, tuple[str, ...]]:
    """What a turn of a run is requested with, and the names of those of its tools that have functions."""
    assistant = find_assistant(run.assistant)
    allowed = tools.allowed(
        assistant.tools, may_read_stack_data=may_read_stack_data(run, one_tenant=one_tenant)
    )
    return UpstreamRequest(run, assistant, (*tools.definitions(allowed), *definitions(run.tools))), allowed


def send_upstream_request(
    request: Callable[[], UpstreamRun],
    limits: Limits,
    seconds: float,
    errors: UpstreamErrors,
    clock: Clock,
    pacing: TurnPacing | None = None,
) -> UpstreamResult:
    """Make a request for a run that has taken so many seconds, after `errors` of the same request.

    An error of the server is a reason to repeat the request later, up to MAX_ERRORS times in a row. Neither
    requests nor pauses outlast the run's time limit. A request that starts a turn has a `pacing`, and waits
    for the server's rate limit; that is not an error.
    """
    start = clock.monotonic()
    if pacing and (pause := pacing.wait_for_turn()):
        return _wait(pause, limits, seconds + clock.monotonic() - start, errors, pacing)
    seconds_left = limits.seconds - seconds - (clock.monotonic() - start)
    start = clock.monotonic()
    try:
        with time_limit(seconds_left), _observe(pacing):
            return UpstreamResult(upstream_run=request(), errors=errors.after_success())
    except TransientError as error:
        errors = errors.add(error)
        logger.warning("upstream request failed", error=str(error), errors=errors.count)
        seconds_left -= clock.monotonic() - start
        counters = Counters(seconds=limits.seconds - seconds_left, errors=errors)
        pause = max(errors.pause_seconds(error), pacing.queue_again() if pacing else 0)
        return UpstreamResult(
            pause_seconds=max(min(pause, seconds_left), MIN_PAUSE_SECONDS),
            failure=errors.failure or exceeded(limits, counters),
            errors=errors,
            ticket=pacing.ticket if pacing else None,
        )
    except RequestRejected as error:
        return UpstreamResult(failure=rejection(error))


def _wait(
    pause: float, limits: Limits, seconds: float, errors: UpstreamErrors, pacing: TurnPacing
) -> UpstreamResult:
    """Let the workflow wait for the rate limit, within the run's time limit."""
    failure = exceeded(limits, Counters(seconds=seconds, errors=errors))
    if failure:
        message = f"{failure.message} It waited for the rate limit of the server."
        failure = failure.model_copy(update={"message": message})
    return UpstreamResult(
        pause_seconds=max(min(pause, limits.seconds - seconds), MIN_PAUSE_SECONDS),
        failure=failure,
        errors=errors,
        ticket=pacing.ticket,
    )


@contextmanager
def _observe(pacing: TurnPacing | None) -> Iterator[None]:
    """Hand on what the server says of its rate limits. No refusal is taken to mean that there was room."""
    if pacing is None:
        yield
        return
    requested_at = pacing.now
    with observe_server_limits() as observed:
        try:
            yield
        finally:
            pacing.observe(observed.newest or ServerLimits(), requested_at)


def cancel_upstream_run(run: Run, get_run_api: GetRunApi) -> None:
    """Cancel a run upstream, if it was created there, within CANCEL_SECONDS. Raises TransientError."""
    if run.upstream_run is not None:
        with time_limit(CANCEL_SECONDS):
            get_run_api(run.run_api).cancel(run.upstream_run)


@contextmanager
def cancel_upstream_if_ended(run_api: RunApi, upstream_run: UpstreamRun) -> Iterator[None]:
    """Cancel what was created upstream for a run that has ended meanwhile. RunAlreadyEnded passes on."""
    try:
        yield
    except RunAlreadyEnded:
        run_api.cancel(upstream_run)
        raise
