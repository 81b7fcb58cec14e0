"""Poll a run for a window of time, until something changes.

A second of a 256 MB arm64 Lambda costs 0.0000033 $, a state transition 0.000025 $. A window is therefore
cheaper than a state transition for each poll, and it notices a change sooner.
"""

from upcall.domain.errors import RequestRejected, TransientError
from upcall.domain.failure import rejection
from upcall.domain.limits import Counters, Limits, exceeded
from upcall.domain.state_budget import calls_bytes
from upcall.domain.status import WORKING_STATUSES
from upcall.domain.upstream_run import UpstreamRun, UpstreamSnapshot
from upcall.observability import metrics
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
    because polling again at once is cheaper than a wait. Raises TransientError if the server did not say when
    to come back.
    """
    run_api = get_run_api(upstream_run.run_api)
    start = clock.monotonic()
    seconds_left = max(limits.seconds - counters.seconds, 0)
    end = start + min(window_seconds, seconds_left)
    interval = FIRST_INTERVAL_SECONDS if window_seconds else PAUSE_WITHOUT_WINDOW_SECONDS
    seen_working_at: float | None = None
    while True:
        polled_at = clock.monotonic()
        try:
            snapshot = run_api.poll(upstream_run)
        except TransientError as error:
            if error.retry_after is None:
                raise
            snapshot = UpstreamSnapshot(status="in_progress", pause_seconds=error.retry_after)
        except RequestRejected as error:
            return UpstreamSnapshot.stopped(rejection(error))
        now = clock.monotonic()
        if snapshot.status not in WORKING_STATUSES:
            if seen_working_at is not None:  # otherwise the change happened before this window
                metrics.record_poll_lag(now - seen_working_at)
            return _within_limits(snapshot, limits, counters, now - start)
        seen_working_at = polled_at
        pause = snapshot.pause_seconds or interval
        if now + pause <= end:
            clock.sleep(pause)
        elif (
            now < end and seconds_left <= window_seconds
        ):  # the time limit ends the window: poll once more then
            clock.sleep(end - now)
        else:
            worth_a_wait = pause > MAX_INTERVAL_SECONDS or not window_seconds
            paused = snapshot.model_copy(update={"pause_seconds": pause if worth_a_wait else 0})
            return _within_limits(paused, limits, counters, now - start)
        interval = min(interval * INTERVAL_FACTOR, MAX_INTERVAL_SECONDS)


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
        }
    )
    failure = exceeded(limits, used)
    return UpstreamSnapshot.stopped(failure, snapshot.usage) if failure else snapshot
