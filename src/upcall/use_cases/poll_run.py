"""Poll a run for a window of time, until something changes.

A state transition costs 0.000025 $, as much as 7.5 s of a 256 MB arm64 Lambda. A window that ends costs two
of them, a pause of the workflow three. docs/benchmarks.md has the arithmetic.
"""

from upcall.domain.completion_window import CompletionWindow, is_discounted
from upcall.domain.errors import RequestRejected, TransientError
from upcall.domain.failure import rejection
from upcall.domain.limits import Counters, Limits, exceeded
from upcall.domain.prices import Price, priced
from upcall.domain.state_budget import calls_bytes
from upcall.domain.status import WORKING_STATUSES
from upcall.domain.upstream_errors import MAX_ERRORS, UpstreamErrors
from upcall.domain.upstream_run import UpstreamRun, UpstreamSnapshot
from upcall.domain.usage import Usage
from upcall.observability import metrics
from upcall.observability.logging import logger
from upcall.run_apis.base import time_limit
from upcall.use_cases.interfaces import Clock, GetRunApi, RunRepository
from upcall.use_cases.record_text import record_text

MIN_INTERVAL_SECONDS = 0.4
INTERVAL_SHARE = 0.01
"""Of the time that the run has been waited for: the longer that was, the less a moment more matters."""

DISCOUNTED_INTERVAL_SHARE = 0.05
"""If the model has hours for each turn. Each poll then costs four transitions."""

MAX_SLEEP_SECONDS = 20.0
"""A longer pause costs less in the workflow than in a function that sleeps."""

MAX_IGNORED_SECONDS = 2.0
"""At the end of a window, a server's pause of up to this is left out: to poll again at once costs less than a
wait. A pause of our own is left out if a function could sleep as long."""

PAUSE_WITHOUT_WINDOW_SECONDS = 2.0
"""At least, between two polls, if there is no window (PollWindowSeconds is 0). Each poll then costs four
transitions, so later they are twice as far apart as in windows."""

MAX_WINDOW_SECONDS = 60.0
WINDOW_SHARE = 0.1
"""Of the time waited, up to MAX_WINDOW_SECONDS: short windows would fill the history of a long execution."""

MIN_STREAM_SECONDS = 20.0
"""The shortest window in which a turn's text is recorded, whatever PollWindowSeconds says."""


def poll_run(
    run_id: str,
    upstream_run: UpstreamRun,
    limits: Limits,
    counters: Counters,
    window_seconds: float,
    waited_seconds: float = 0,
    completion_window: CompletionWindow | None = None,
    price: Price | None = None,
    *,
    stream: bool = False,
    repository: RunRepository,
    get_run_api: GetRunApi,
    clock: Clock,
) -> UpstreamSnapshot:
    """Poll until the run asks for tools, ends or exceeds a limit, for about `window_seconds`.

    The calls that it asks for are written down in its log. The usage of a turn gets its cost, by `price`.
    `counters` are those before this poll; `waited_seconds` is how long the model has been at work. Polls
    are 0.4 s apart at first, later a hundredth of the time waited (a twentieth in a discounted completion
    window), or as far as the server asks for (`openai-poll-after-ms`, `Retry-After`). A pause that is not
    worth its time in a function is returned as `pause_seconds`, for the workflow to wait. An error of the
    server is a reason to poll again later, up to MAX_ERRORS times in a row; a longer pause after it is
    left to the workflow, whose history shows the error. A turn that failed for a reason that passes is
    returned with `repeat`, as often, if there is time for the pause before it. No request outlasts the
    run's time limit. With `stream` the window begins with the turn's text, which is recorded as it is written
    until its stream ends.
    """
    run_api = get_run_api(upstream_run.run_api)
    start = clock.monotonic()
    seconds_left = max(limits.seconds - counters.seconds, 0)
    if stream:
        window_seconds = max(window_seconds, MIN_STREAM_SECONDS)
    if window_seconds:
        window_seconds = max(window_seconds, min(waited_seconds * WINDOW_SHARE, MAX_WINDOW_SECONDS))
    end = start + min(window_seconds, seconds_left)
    if stream and end > start:
        record_text(
            run_id,
            upstream_run,
            counters.rounds,
            end - start,
            repository=repository,
            run_api=run_api,
            clock=clock,
        )
    share = DISCOUNTED_INTERVAL_SHARE if is_discounted(completion_window) else INTERVAL_SHARE
    errors = counters.errors
    seen_working_at: float | None = None
    while True:
        polled_at = clock.monotonic()
        try:
            with time_limit(seconds_left - (polled_at - start)):
                snapshot = with_cost(run_api.poll(upstream_run), price)
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
        elapsed = now - start
        if snapshot.status not in WORKING_STATUSES:
            if seen_working_at is not None:  # otherwise the change happened before this window
                metrics.record_poll_lag(now - seen_working_at)
            if snapshot.repeat:
                can_repeat = run_api.can_repeat_after_tool_calls() or not counters.rounds
                failed = _failed_turn(snapshot, errors, seconds_left - elapsed, can_repeat=can_repeat)
                _record_pause(run_id, failed, repository)
                return failed
            result = _within_limits(snapshot, limits, counters, elapsed)
            if result.tool_calls:
                number = counters.rounds + 1
                repository.record_requested_calls(run_id, number, result.tool_calls, counters.tool_calls)
            return result
        seen_working_at = polled_at
        own_pause = max((waited_seconds + elapsed) * share, MIN_INTERVAL_SECONDS)
        if not window_seconds:
            own_pause = max(2 * own_pause, PAUSE_WITHOUT_WINDOW_SECONDS)
        pause = snapshot.pause_seconds or own_pause
        left_to_workflow = snapshot.errors.last and pause > MAX_IGNORED_SECONDS
        if now + pause <= end and pause <= MAX_SLEEP_SECONDS and not left_to_workflow:
            clock.sleep(pause)
        elif now < end and seconds_left <= window_seconds and not left_to_workflow:
            clock.sleep(end - now)  # the time limit ends the window: poll once more
        else:
            ignored = MAX_IGNORED_SECONDS if snapshot.pause_seconds else MAX_SLEEP_SECONDS
            pause = min(pause, max(seconds_left - elapsed, 0)) if pause > ignored or not window_seconds else 0
            paused = snapshot.model_copy(update={"pause_seconds": pause, "errors": errors})
            result = _within_limits(paused, limits, counters, elapsed)
            _record_pause(run_id, result, repository)
            return result


def _record_pause(run_id: str, snapshot: UpstreamSnapshot, repository: RunRepository) -> None:
    """Write down why the workflow waits. It may wait without an error, too."""
    if snapshot.errors.last and snapshot.pause_seconds:
        repository.record_pause(run_id, snapshot.errors.last, snapshot.pause_seconds)


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
            "usd": _add_cost(counters, snapshot.usage),
            "requested_calls": len(snapshot.tool_calls),
            "requested_bytes": calls_bytes(snapshot.tool_calls),
            "errors": snapshot.errors,
        }
    )
    failure = exceeded(limits, used)
    return UpstreamSnapshot.stopped(failure, snapshot.usage) if failure else snapshot


def with_cost(snapshot: UpstreamSnapshot, price: Price | None) -> UpstreamSnapshot:
    """The snapshot with what its turn costs."""
    return snapshot.model_copy(update={"usage": priced(snapshot.usage, price)})


def _add_cost(counters: Counters, usage: Usage) -> float | None:
    """Dollars of all turns. Turns before the first one with tokens cost nothing."""
    before = 0 if counters.usd is None and not counters.tokens else counters.usd
    if usage.is_empty:
        return before
    return None if before is None or usage.usd is None else before + usage.usd
