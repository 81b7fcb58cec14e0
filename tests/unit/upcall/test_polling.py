import time
from collections.abc import Callable

import pytest

from upcall.domain.errors import RequestRejected, TransientError
from upcall.domain.upstream_run import UpstreamSnapshot
from upcall.use_cases.poll_run import watch

WORKING = UpstreamSnapshot(status="in_progress", pause_seconds=0.01)
DONE = UpstreamSnapshot(status="completed")


def saying(*answers: UpstreamSnapshot | Exception) -> Callable[[], UpstreamSnapshot]:
    """A poll that gives these answers, one after the other, and the last one for ever."""
    left = list(answers)

    def poll() -> UpstreamSnapshot:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return poll


def test_a_change_is_noticed_within_the_window() -> None:
    assert watch(saying(WORKING, WORKING, DONE), window_seconds=5) == DONE


def test_a_run_that_needs_something_is_returned_at_once() -> None:
    waiting = UpstreamSnapshot(status="requires_action")

    assert watch(saying(waiting), window_seconds=5) == waiting


def test_the_window_closes_on_a_run_that_works_on() -> None:
    start = time.monotonic()
    snapshot = watch(saying(WORKING), window_seconds=0.1)

    assert snapshot.status == "in_progress"
    assert snapshot.pause_seconds == 0
    assert 0.08 < time.monotonic() - start < 2


def test_without_a_window_it_polls_once_and_the_workflow_waits() -> None:
    snapshot = watch(saying(UpstreamSnapshot(status="queued"), DONE), window_seconds=0)

    assert snapshot.status == "queued"
    assert snapshot.pause_seconds == 2


def test_a_wish_beyond_the_window_is_the_workflows_to_wait() -> None:
    start = time.monotonic()
    snapshot = watch(saying(UpstreamSnapshot(status="queued", pause_seconds=30)), window_seconds=1)

    assert snapshot.pause_seconds == 30
    assert time.monotonic() - start < 0.5


def test_retry_after_within_the_window_is_waited_for() -> None:
    assert watch(saying(TransientError("429", retry_after=0.01), DONE), window_seconds=5) == DONE


def test_retry_after_beyond_the_window_is_the_workflows_to_wait() -> None:
    snapshot = watch(saying(TransientError("429", retry_after=20)), window_seconds=1)

    assert (snapshot.status, snapshot.pause_seconds) == ("in_progress", 20)


@pytest.mark.parametrize("error", [TransientError("503"), RequestRejected("404: gone")])
def test_other_errors_are_the_workflows(error: Exception) -> None:
    with pytest.raises(type(error)):
        watch(saying(error), window_seconds=5)
