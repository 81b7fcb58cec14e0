"""Runs whose record is open though no execution works on them: resumed, or given to be closed."""

from datetime import UTC, datetime, timedelta
from typing import Final

from upcall import metrics
from upcall.log import logger
from upcall.models import OPEN_STATUSES, Model
from upcall.queues import tell_of_end
from upcall.store import run_store
from upcall.workflow import execution_end, start_execution

MIN_AGE: Final = timedelta(minutes=5)
"""A younger run may be about to be started."""


class Swept(Model):
    """How many open runs were looked at, and what became of them."""

    open: int = 0
    resumed: int = 0
    given_to_close: int = 0


def sweep() -> Swept:
    """Look at every open run: start an execution where there is none, tell of the end of one that ended."""
    looked = resumed = told = 0
    before = datetime.now(UTC) - MIN_AGE
    for status in OPEN_STATUSES:
        for listed in run_store().index.recent(status):
            if listed.created_at > before:
                continue
            looked += 1
            run = run_store().get(listed.run_id)
            end = execution_end(run)
            if end is None:
                start_execution(run)
                logger.warning("run resumed", run_id=run.run_id)
                resumed += 1
            elif end.status != "RUNNING":
                tell_of_end(run.execution, end.status, end.error, end.cause)
                logger.warning("run given to close", run_id=run.run_id)
                told += 1
    metrics.swept(looked, resumed + told)
    return Swept(open=looked, resumed=resumed, given_to_close=told)
