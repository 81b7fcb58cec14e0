"""A bound on how long a piece of work is waited for."""

import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class TimeUp(Exception):
    """The work was not done in time. It is not waited for any longer; its thread ends when it ends."""


def within(seconds: float | None, work: Callable[[], T]) -> T:
    """Do the work and give back its result, or raise what it raised.

    Raises TimeUp after so many seconds; None waits as long as it takes. The work runs in a thread of
    its own, because nothing else bounds code that neither returns nor asks what time it is.
    """
    if seconds is None:
        return work()
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # raised again by the one who waits
            errors.append(error)

    context = contextvars.copy_context()
    name = threading.current_thread().name
    thread = threading.Thread(target=context.run, args=(run,), daemon=True, name=name)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeUp
    return results[0]
