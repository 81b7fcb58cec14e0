"""Poll a run for a window of time, until something changes.

A second of a 256 MB arm64 Lambda costs 0.0000033 $, a state transition 0.000025 $. A window is therefore
cheaper than a state transition for each poll, and it notices a change sooner.
"""

from upcall.domain.errors import RequestRejected, TransientError
from upcall.domain.failure import rejection
from upcall.domain.limits import Counters, Limits, exceeded
from upcall.domain.state_budget import calls_bytes
from upcall.domain.status import WORKING_STATUSES
from upcall.domain.upstream_errors import MAX_ERRORS, UpstreamErrors
from upcall.domain.upstream_run import UpstreamRun, UpstreamSnapshot
from upcall.observability import metrics
from upcall.observability.logging import logger
from upcall.run_apis.base import time_limit
from upcall.use_cases.interfaces import Clock, GetRunApi

FIRST_INTERVAL_SECONDS = 0.5
MAX_INTERVAL_SECONDS = 2.0
INTERVAL_FACTOR = 1.25
PAUSE_WITHOUT_WINDOW_SECONDS = 2.0
"""Between two polls if there is no window (PollWindowSeconds is 0)."""


def poll_run(
    upstream_run: UpstreamRun,
    limits: Limits,
    counters: Counters,
    window_seconds: float,
    *,
    get_run_api: GetRunApi,
    clock: Clock,
) -> UpstreamSnapshot:
    """Poll until the run asks for tools, ends or exceeds a limit, for `window_seconds` at most.

    `counters` are those before this poll. The first interval is 0.5 s, the longest 2 s, or what the server
    asks for (`openai-poll-after-ms`, `Retry-After`). If the next poll would fall outside of the window, its
    delay is returned as `pause_seconds`, for the workflow to wait; a delay of up to 2 s is returned as 0,
    because polling again at once is cheaper than a wait. An error of the server is a reason to poll again
    later, up to MAX_ERRORS times in a row; a longer pause than usual is then left to the workflow, where it
    costs nothing and whose history shows the error. A turn that failed for a reason that passes is returned
    with `repeat`, as often, if there is time for the pause before it. No request outlasts the run's time
    limit.
    """
    run_api = get_run_api(upstream_run.run_api)
    start = clock.monotonic()
    seconds_left = max(limits.seconds - counters.seconds, 0)
    end = start + min(window_seconds, seconds_left)
    interval = FIRST_INTERVAL_SECONDS if window_seconds else PAUSE_WITHOUT_WINDOW_SECONDS
    errors = counters.errors
    seen_working_at: float | None = None
    while True:
        polled_at = clock.monotonic()
        try:
            with time_limit(seconds_left - (polled_at - start)):
                snapshot = run_api.poll(upstream_run)
            errors = errors.after_success()
        except TransientError as error:
            errors = errors.add(error)
            logger.warning("upstream request failed", error=str(error), errors=errors.count)
            if errors.failure:
                return UpstreamSnapshot.stopped(errors.failure)
            snapshot = UpstreamSnapshot(
                status="in_progress", pause_seconds=errors.pause_seconds(error), errors=errors
            )
        except RequestRejected as error:
            return UpstreamSnapshot.stopped(rejection(error))
        now = clock.monotonic()
        if snapshot.status not in WORKING_STATUSES:
            if seen_working_at is not None:  # otherwise the change happened before this window
                metrics.record_poll_lag(now - seen_working_at)
            if snapshot.repeat:
                can_repeat = run_api.can_repeat_after_tool_calls() or not counters.rounds
                return _failed_turn(snapshot, errors, seconds_left - (now - start), can_repeat=can_repeat)
            return _within_limits(snapshot, limits, counters, now - start)
        seen_working_at = polled_at
        pause = snapshot.pause_seconds or interval
        left_to_workflow = snapshot.errors.last and pause > MAX_INTERVAL_SECONDS
        if now + pause <= end and not left_to_workflow:
            clock.sleep(pause)
        elif now < end and seconds_left <= window_seconds and not left_to_workflow:
            clock.sleep(end - now)  # the time limit ends the window: poll once more
        else:
            worth_a_wait = pause > MAX_INTERVAL_SECONDS or not window_seconds
            pause = min(pause, max(seconds_left - (now - start), 0)) if worth_a_wait else 0
            paused = snapshot.model_copy(update={"pause_seconds": pause, "errors": errors})
            return _within_limits(paused, limits, counters, now - start)
        interval = min(interval * INTERVAL_FACTOR, MAX_INTERVAL_SECONDS)


def _failed_turn(
    snapshot: UpstreamSnapshot, errors: UpstreamErrors, seconds_left: float, *, can_repeat: bool
) -> UpstreamSnapshot:
    """The snapshot of a turn that failed, with the pause before it is requested again or without `repeat`."""
    if snapshot.failure is None or not can_repeat:
        return snapshot.model_copy(update={"repeat": False})
    errors = errors.add_failed_turn(snapshot.failure)
    pause = errors.turn_pause_seconds
    if errors.failed_turns < MAX_ERRORS and pause < seconds_left:
        return snapshot.model_copy(update={"errors": errors, "pause_seconds": pause})
    failure = snapshot.failure
    if errors.failed_turns > 1:
        message = f"The run failed {errors.failed_turns} times upstream. The last error: {failure.message}"
        failure = failure.model_copy(update={"message": message})
    return snapshot.model_copy(update={"failure": failure, "repeat": False})


def _within_limits(
    snapshot: UpstreamSnapshot, limits: Limits, counters: Counters, elapsed_seconds: float
) -> UpstreamSnapshot:
    """The snapshot, or that of a run which we stop because it has exceeded a limit."""
    if snapshot.failure is not None or snapshot.status == "completed":
        return snapshot
    used = counters.model_copy(
        update={
            "seconds": counters.seconds + elapsed_seconds,
            "tokens": counters.tokens + snapshot.usage.total_tokens,
            "requested_calls": len(snapshot.tool_calls),
            "requested_bytes": calls_bytes(snapshot.tool_calls),
            "errors": snapshot.errors,
        }
    )
    failure = exceeded(limits, used)
    return UpstreamSnapshot.stopped(failure, snapshot.usage) if failure else snapshot
