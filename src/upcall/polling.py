"""The poll window: one look after the other at a run, until something changes or time is up.

A second of a 256 MB arm64 Lambda costs 0.0000033 $, a state transition 0.000025 $, so a window is
cheaper than a turn of the workflow for each look, and it notices a change sooner.
"""

import time
from collections.abc import Callable

from upcall import metrics
from upcall.errors import TryAgain
from upcall.models import Snapshot

FIRST_INTERVAL_SECONDS = 0.5
LONGEST_INTERVAL_SECONDS = 2.0
WINDOWLESS_PAUSE_SECONDS = 2.0
"""Between two polls where there is no window (PollWindowSeconds 0)."""

WORKING = ("queued", "in_progress", "cancelling")


def watch(poll: Callable[[], Snapshot], window_seconds: float) -> Snapshot:
    """Poll until the run needs something or has ended, for `window_seconds` at most.

    Looks every 0.5 s at first, every 2 s later, or as often as the server wishes
    (`openai-poll-after-ms`, `Retry-After`). Where the next look falls beyond the window, its distance
    comes back as `pause_seconds`, for the workflow to wait, unless it is so short that asking at once
    is cheaper. Errors that bring no such wish are the workflow's to retry.
    """
    end = time.monotonic() + window_seconds
    interval = FIRST_INTERVAL_SECONDS if window_seconds else WINDOWLESS_PAUSE_SECONDS
    working_at: float | None = None
    while True:
        asked_at = time.monotonic()
        snapshot = _look(poll)
        if snapshot.status not in WORKING:
            if working_at is not None:  # else an earlier poll has seen it at work, nobody knows when
                metrics.change_seen(time.monotonic() - working_at)
            return snapshot
        working_at = asked_at
        pause = snapshot.pause_seconds or interval
        if time.monotonic() + pause > end:
            worth_a_wait = pause > LONGEST_INTERVAL_SECONDS or not window_seconds
            return snapshot.model_copy(update={"pause_seconds": pause if worth_a_wait else 0})
        time.sleep(pause)
        interval = min(interval * 1.25, LONGEST_INTERVAL_SECONDS)


def _look(poll: Callable[[], Snapshot]) -> Snapshot:
    try:
        return poll()
    except TryAgain as error:
        if error.retry_after is None:
            raise
        return Snapshot(status="in_progress", pause_seconds=error.retry_after)
