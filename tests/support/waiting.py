"""Waits with back-off for what no event reports."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

TIMEOUT_SECONDS = 60
FIRST_PAUSE_SECONDS = 0.01
MAX_PAUSE_SECONDS = 0.2


def wait_until(get: Callable[[], T | None], description: str, timeout_seconds: float = TIMEOUT_SECONDS) -> T:
    """Call `get` until it returns something true, and return that. Raises TimeoutError.

    The pause between two calls doubles from 10 ms to 200 ms. `description` says what is waited for.
    """
    deadline = time.monotonic() + timeout_seconds
    pause = FIRST_PAUSE_SECONDS
    while not (result := get()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{description} did not happen within {timeout_seconds} seconds")
        time.sleep(pause)
        pause = min(2 * pause, MAX_PAUSE_SECONDS)
    return result
