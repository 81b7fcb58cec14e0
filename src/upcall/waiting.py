"""Waiting for a run to end, for a caller who would rather wait than ask again."""

import time
from typing import Final

from upcall.caller import callers_run
from upcall.run import RunView
from upcall.store import run_store

LOOK_EVERY_SECONDS: Final = 0.5


def ended_run(run_id: str, seconds: float) -> RunView:
    """The run as its caller sees it, once it has ended or after so many seconds. Raises NotFound."""
    store = run_store()
    deadline = time.monotonic() + seconds
    run = callers_run(run_id)
    while not run.ended and (left := deadline - time.monotonic()) > 0:
        time.sleep(min(LOOK_EVERY_SECONDS, left))
        run = store.get(run_id)
    return RunView.of(run, store.message(run))
