"""The emulator's scheduler."""

import threading
import time
from collections.abc import Iterator

import pytest

from local.openai_emulator.scheduler import THREADS, Scheduler

TIMEOUT_SECONDS = 10


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    started = Scheduler()
    yield started
    started.stop()


def test_tasks_run_when_they_are_due_whatever_the_order_in_which_they_came(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.openai_emulator.scheduler.THREADS", 1)  # several append in any order
    ran: list[tuple[str, float]] = []
    done, now = threading.Event(), time.time()
    for name, seconds in (("last", 0.3), ("first", 0.1), ("second", 0.2)):
        scheduler.call_at(now + seconds, lambda name=name: ran.append((name, time.time())))  # type: ignore[misc]
    scheduler.call_at(now + 0.4, done.set)
    assert done.wait(TIMEOUT_SECONDS)

    assert [name for name, _ in ran] == ["first", "second", "last"]
    assert ran[0][1] >= now + 0.1


def test_a_task_that_waits_delays_no_other(scheduler: Scheduler) -> None:
    release, done = threading.Event(), threading.Event()

    def wait() -> None:
        release.wait(TIMEOUT_SECONDS)

    for _ in range(THREADS - 1):
        scheduler.call_at(time.time(), wait)
    scheduler.call_at(time.time() + 0.1, done.set)
    try:
        assert done.wait(TIMEOUT_SECONDS / 2)
    finally:
        release.set()


def test_no_task_starts_after_the_scheduler_has_stopped(scheduler: Scheduler) -> None:
    ran = threading.Event()
    scheduler.call_at(time.time() + 0.1, ran.set)
    assert scheduler.pending == 1
    scheduler.stop()

    assert not ran.wait(0.3)
    assert scheduler.pending == 0
