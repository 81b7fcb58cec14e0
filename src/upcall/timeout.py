"""Calls a function with a time-out."""

import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class TimedOut(Exception):
    """The work took too long. Its thread runs on until the work ends; the result is dropped."""


def run_with_timeout(seconds: float | None, work: Callable[[], T]) -> T:
    """Do the work and return its result, or raise what it raised. None means no time-out.

    Raises TimedOut after that number of seconds. The work runs in another thread, because Python has no other
    way to stop waiting for code that does not check the time itself.
    """
    if seconds is None:
        return work()
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # raised again in the thread that waits
            errors.append(error)

    context = contextvars.copy_context()
    name = threading.current_thread().name
    thread = threading.Thread(target=context.run, args=(run,), daemon=True, name=name)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimedOut
    return results[0]
