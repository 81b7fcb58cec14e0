"""The limit on the time of code that counts nothing itself."""

import threading
import time

import pytest

from upcall.documents.limits import LimitExceeded, time_limit


def work(seconds: float) -> int:
    """Use the processor for that long, and swallow exceptions as libraries do."""
    end, swallowed = time.process_time() + seconds, 0
    while time.process_time() < end:
        try:
            time.process_time()
        except Exception:
            swallowed += 1
    return swallowed


def test_code_within_the_limit_is_not_interrupted() -> None:
    with time_limit(10):
        work(0.01)


def test_code_beyond_the_limit_is_interrupted_even_if_it_swallows_exceptions() -> None:
    start = time.process_time()
    with pytest.raises(LimitExceeded), time_limit(0.1):
        work(30)

    assert time.process_time() - start < 10


def test_nothing_is_interrupted_after_the_limit_ends() -> None:
    with time_limit(0.05):
        pass
    work(0.2)


def test_time_in_which_the_process_does_not_work_does_not_count() -> None:
    """As on a machine that other processes keep busy."""
    with time_limit(0.05):
        time.sleep(0.3)


def test_a_thread_has_no_limit() -> None:
    finished: list[int] = []

    def run() -> None:
        with time_limit(0.05):
            finished.append(work(0.2))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()

    assert finished == [0]
