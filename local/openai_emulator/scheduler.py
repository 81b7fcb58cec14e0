"""Calls functions at given times, in threads of the background."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable

Task = Callable[[], None]

THREADS = 32
"""Tasks that run at once. A task may wait ten seconds for an HTTP server, while others are due."""


class Scheduler:
    """Runs tasks when they are due. Its threads start with the first task, and end with the process."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._tasks: list[tuple[float, int, Task]] = []
        self._numbers = itertools.count()  # tasks that are due at the same time run in their order
        self._running = 0
        self._started = self._stopped = False

    @property
    def pending(self) -> int:
        """The number of tasks that have not ended."""
        with self._changed:
            return len(self._tasks) + self._running

    def call_at(self, due: float, task: Task) -> None:
        """Run a task at this time, in seconds since the epoch."""
        with self._changed:
            heapq.heappush(self._tasks, (due, next(self._numbers), task))
            self._changed.notify()
            if self._started:
                return
            self._started = True
        for _ in range(THREADS):
            threading.Thread(target=self._work, daemon=True).start()

    def stop(self) -> None:
        """Drop all tasks that have not started."""
        with self._changed:
            self._stopped = True
            self._tasks.clear()
            self._changed.notify_all()

    def _work(self) -> None:
        while task := self._wait_for_task():
            try:
                task()
            finally:
                with self._changed:
                    self._running -= 1

    def _wait_for_task(self) -> Task | None:
        with self._changed:
            while not self._stopped:
                seconds = self._tasks[0][0] - time.time() if self._tasks else None
                if seconds is not None and seconds <= 0:
                    _, _, task = heapq.heappop(self._tasks)
                    self._running += 1
                    self._changed.notify()  # another thread waits for the next task
                    return task
                self._changed.wait(seconds)
        return None
