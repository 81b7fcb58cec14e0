"""What a function loads while it starts."""

import gc
from collections.abc import Callable

from upcall import config


def load_at_init(*loaders: Callable[[], object]) -> None:
    """Call these now on Lambda, where a function has a whole core while it starts, and a share of one later.

    Elsewhere the first request that needs them does, because a process has many handlers and uses few.
    """
    if config.on_lambda():
        for load in loaders:
            load()
        gc.freeze()  # what is loaded stays: no search for unreachable objects needs to look at it
