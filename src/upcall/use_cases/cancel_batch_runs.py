"""Cancel the runs of a batch that are under way."""

from collections.abc import Callable
from contextlib import suppress

from upcall.domain.batch import BatchLine
from upcall.domain.caller import Caller
from upcall.domain.errors import NotFound, RunAlreadyEnded
from upcall.domain.model import Model
from upcall.threads import map_in_threads
from upcall.use_cases.interfaces import BatchRepository, Clock

MAX_SECONDS = 480.0
"""Of one invocation. A run that is being cancelled may take another 10 s; the time-out is 600 s."""

THREADS = 16


class RunsCancelled(Model):
    """How many runs were cancelled, and whether others are left."""

    cancelled: int
    more: bool


def cancel_batch_runs(
    batch_id: str,
    *,
    one_tenant: bool,
    batches: BatchRepository,
    cancel_run: Callable[[str, Caller], object],
    clock: Clock,
) -> RunsCancelled:
    """Cancel runs until none is under way or the time is over. Raises NotFound, TransientError."""
    end = clock.monotonic() + MAX_SECONDS
    batch = batches.get_batch(batch_id)
    caller = Caller(batch.owner, one_tenant=one_tenant)

    def cancel(line: BatchLine) -> bool:
        if clock.monotonic() > end:
            return False
        with suppress(NotFound, RunAlreadyEnded):  # not started, or its line is about to end
            cancel_run(batch.run_id(line.line), caller)
        return True

    lines = list(batches.list_open_lines(batch_id))
    done = sum(map_in_threads(cancel, lines, THREADS))
    return RunsCancelled(cancelled=done, more=done < len(lines))
