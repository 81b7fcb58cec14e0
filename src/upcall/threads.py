"""Works on several items at once, in threads."""

import contextvars
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_threads(work: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """The results of the work on each item, in the order of the items.

    Each thread has the name and the context of the caller: what log lines have in common, and deadlines.
    """
    context = contextvars.copy_context()
    name = threading.current_thread().name
    with ThreadPoolExecutor(threads, name) as pool:
        yield from pool.map(lambda item: context.copy().run(work, item), items)
