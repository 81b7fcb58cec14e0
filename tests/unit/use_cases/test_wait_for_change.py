"""A task waits for a webhook, unless there is a reason to go on at once."""

from collections.abc import Callable
from typing import Any

import pytest
from support.fakes.clock import FakeClock
from support.fakes.run_api import FakeRunApi
from support.fakes.run_repository import InMemoryRunRepository
from support.run_records import CALL, USAGE, WAITING_TASK

from upcall.domain.errors import TransientError
from upcall.domain.limits import Counters
from upcall.domain.upstream_errors import UpstreamErrors
from upcall.domain.upstream_run import UpstreamSnapshot
from upcall.domain.waiting_task import WaitingTask
from upcall.use_cases.wait_for_change import MIN_SECONDS_LEFT, wait_for_change, wait_or_poll

WORKING = UpstreamSnapshot(status="in_progress")
Wait = Callable[[WaitingTask], UpstreamSnapshot | None]


@pytest.fixture
def wired(repository: InMemoryRunRepository, run_api: FakeRunApi, clock: FakeClock) -> dict[str, Any]:
    """What both use cases get."""
    return {"repository": repository, "get_run_api": run_api.get, "clock": clock}


@pytest.fixture
def wait(wired: dict[str, Any]) -> Wait:
    def call(task: WaitingTask) -> UpstreamSnapshot | None:
        return wait_for_change(task, **wired)

    return call


def test_a_task_waits_while_the_model_is_at_work(
    wait: Wait, repository: InMemoryRunRepository, run_api: FakeRunApi, clock: FakeClock
) -> None:
    run_api.snapshots = [WORKING]

    assert wait(WAITING_TASK) is None
    assert repository.get_waiting_task("resp_1") == WAITING_TASK
    assert (len(run_api.polled), clock.sleeps) == (1, [])


def test_the_token_is_stored_before_the_run_is_looked_at(
    wait: Wait, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    """So that a webhook which comes in between finds it."""
    stored: list[WaitingTask | None] = []
    run_api.during_next("poll", lambda: stored.append(repository.get_waiting_task("resp_1")))

    wait(WAITING_TASK)

    assert stored == [WAITING_TASK]


@pytest.mark.parametrize(
    "snapshot",
    [UpstreamSnapshot(status="completed"), UpstreamSnapshot.requires_action((CALL,), USAGE)],
    ids=["completed", "requires action"],
)
def test_a_run_that_has_changed_before_the_token_was_stored_is_returned(
    wait: Wait, run_api: FakeRunApi, snapshot: UpstreamSnapshot
) -> None:
    run_api.snapshots = [snapshot]

    assert wait(WAITING_TASK) == snapshot


def test_a_run_beyond_its_time_limit_is_returned_as_failed(wait: Wait, run_api: FakeRunApi) -> None:
    run_api.snapshots = [WORKING]

    snapshot = wait(WAITING_TASK.model_copy(update={"counters": Counters(seconds=900)}))

    assert snapshot
    assert snapshot.failure
    assert snapshot.failure.code == "limit_seconds"


@pytest.mark.parametrize("retry_after", [None, 3])
def test_a_run_that_could_not_be_looked_at_is_looked_at_again_after_a_pause(
    wait: Wait, run_api: FakeRunApi, retry_after: float | None
) -> None:
    run_api.fail_next("poll", TransientError("503", retry_after=retry_after))

    snapshot = wait(WAITING_TASK)

    assert snapshot
    assert (snapshot.status, snapshot.errors.last) == ("in_progress", "503")
    assert snapshot.pause_seconds > 0


def test_a_turn_that_was_requested_again_may_be_waited_for(wait: Wait, run_api: FakeRunApi) -> None:
    run_api.snapshots = [WORKING]
    errors = UpstreamErrors(last="Slow down.", failed_turns=2)

    assert wait(WAITING_TASK.model_copy(update={"counters": Counters(errors=errors)})) is None


def test_a_run_without_webhooks_is_never_waited_for(
    wait: Wait, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    run_api.sends_webhooks = False
    run_api.snapshots = [WORKING]

    assert wait(WAITING_TASK) == WORKING.model_copy(update={"pause_seconds": 2})
    assert repository.get_waiting_task("resp_1") is None


@pytest.mark.parametrize(
    ("pushed", "may_wait", "seconds", "slept"),
    [
        (True, True, 0, None),
        (True, False, 0, 0),
        (True, True, 900 - MIN_SECONDS_LEFT, 4),
        (True, False, 900 - MIN_SECONDS_LEFT, 4),
        (False, True, 0, 4),
    ],
    ids=["it may", "tried again", "close to the time limit", "tried again close to it", "not pushed"],
)
def test_a_run_that_may_not_wait_is_looked_at_once_or_polled(
    wired: dict[str, Any],
    repository: InMemoryRunRepository,
    run_api: FakeRunApi,
    clock: FakeClock,
    pushed: bool,
    may_wait: bool,
    seconds: float,
    slept: float | None,
) -> None:
    run_api.snapshots = [WORKING]
    task = WAITING_TASK.model_copy(update={"counters": Counters(seconds=seconds)})

    result = wait_or_poll(task, 4, pushed=pushed, may_wait=may_wait, **wired)

    waits = slept is None
    assert (result is None) == waits == (repository.get_waiting_task("resp_1") is not None)
    assert sum(clock.sleeps) == pytest.approx(slept or 0)
    assert result is None or result.pause_seconds == 0


@pytest.mark.parametrize("error", [None, TransientError("503")])
def test_a_try_that_looks_once_returns_what_it_saw(
    wired: dict[str, Any], run_api: FakeRunApi, error: TransientError | None
) -> None:
    """After an error the pause before the next look is kept."""
    run_api.snapshots = [UpstreamSnapshot.requires_action((CALL,), USAGE)]
    if error:
        run_api.fail_next("poll", error)

    result = wait_or_poll(WAITING_TASK, 5, pushed=True, may_wait=False, **wired)

    assert result is not None
    assert result.status == ("in_progress" if error else "requires_action")
    assert (result.pause_seconds > 0) == (error is not None)
