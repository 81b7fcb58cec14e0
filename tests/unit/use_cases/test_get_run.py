from collections.abc import Callable
from datetime import timedelta

import pytest
from support.fakes.clock import START, FakeClock
from support.fakes.run_repository import InMemoryRunRepository
from support.fakes.waiting_requests import InMemoryWaitingRequests
from support.run_records import FAILURE, UPSTREAM_RUN, USAGE, new_run

from upcall.domain.caller import ANYBODY, Caller
from upcall.domain.errors import NotFound
from upcall.domain.run import Run
from upcall.domain.upstream_run import Message
from upcall.domain.views import RunView
from upcall.use_cases.get_run import POLL_INTERVAL_SECONDS, get_run

DONE = Message(text="Done.")

Show = Callable[..., RunView]
"""Show a run: its id, the seconds to wait, and the caller."""


@pytest.fixture
def waiting_requests() -> InMemoryWaitingRequests:
    return InMemoryWaitingRequests()


@pytest.fixture
def show(
    repository: InMemoryRunRepository, clock: FakeClock, waiting_requests: InMemoryWaitingRequests
) -> Show:
    def call(run_id: str, wait: float = 0, caller: str = ANYBODY, *, one_tenant: bool = False) -> RunView:
        return get_run(
            run_id,
            wait,
            Caller(caller, one_tenant),
            repository=repository,
            waiting_requests=waiting_requests,
            clock=clock,
        ).view

    return call


@pytest.fixture
def run(repository: InMemoryRunRepository) -> Run:
    """A run that is in progress."""
    run = repository.add_run(new_run())
    repository.record_creation(run, UPSTREAM_RUN, "polled")
    return repository.get_run(run.run_id)


def test_an_open_run_is_shown_without_a_message(show: Show, run: Run) -> None:
    view = show(run.run_id)

    assert (view.run_id, view.status, view.prompt, view.message) == (run.run_id, "in_progress", "Go.", None)


def test_upstream_ids_are_not_shown(show: Show, run: Run) -> None:
    assert "resp_1" not in show(run.run_id).model_dump_json()


def test_a_completed_run_is_shown_with_its_message(
    show: Show, run: Run, repository: InMemoryRunRepository
) -> None:
    repository.complete_run(run, DONE, START)

    view = show(run.run_id)
    assert (view.status, view.message) == ("completed", "Done.")


def test_a_failed_run_is_shown_with_its_failure(
    show: Show, run: Run, repository: InMemoryRunRepository
) -> None:
    repository.record_failure(run, FAILURE, USAGE, START)

    view = show(run.run_id, wait=20)
    assert (view.status, view.failure, view.message) == ("failed", FAILURE, None)


def test_without_waiting_the_run_is_returned_at_once(show: Show, run: Run, clock: FakeClock) -> None:
    show(run.run_id, wait=0)

    assert clock.sleeps == []


def test_a_run_that_ends_while_the_caller_waits_is_returned_within_an_interval(
    show: Show, run: Run, repository: InMemoryRunRepository, clock: FakeClock
) -> None:
    clock.schedule(10.3, lambda: repository.complete_run(run, DONE, clock.now()))

    view = show(run.run_id, wait=20)

    assert (view.status, view.message) == ("completed", "Done.")
    assert view.ended_at == START + timedelta(seconds=10.3)
    assert 10.3 <= clock.monotonic() <= 10.3 + POLL_INTERVAL_SECONDS


def test_a_run_that_does_not_end_is_returned_as_it_is_when_the_time_is_over(
    show: Show, run: Run, clock: FakeClock
) -> None:
    assert show(run.run_id, wait=1.2).status == "in_progress"
    assert clock.monotonic() == pytest.approx(1.2)
    assert len(clock.sleeps) == 3


def test_a_run_that_has_ended_already_is_returned_at_once(
    show: Show, run: Run, repository: InMemoryRunRepository, clock: FakeClock
) -> None:
    repository.complete_run(run, DONE, START)

    show(run.run_id, wait=20)

    assert clock.sleeps == []


def test_a_run_that_is_deleted_while_the_caller_waits_is_not_found(
    show: Show, run: Run, repository: InMemoryRunRepository, clock: FakeClock
) -> None:
    clock.schedule(1, lambda: repository.delete_run(run.run_id))

    with pytest.raises(NotFound):
        show(run.run_id, wait=20)
    assert clock.monotonic() < 2


@pytest.mark.parametrize("exists", [True, False], ids=["of another caller", "that does not exist"])
def test_a_run_that_the_caller_may_not_see_is_not_found_at_once(
    show: Show, run: Run, clock: FakeClock, exists: bool
) -> None:
    run_id = run.run_id if exists else "run_x"

    with pytest.raises(NotFound, match=f"there is no run '{run_id}'"):
        show(run_id, wait=20, caller="somebody else")
    assert clock.sleeps == []


def test_a_stack_of_one_tenant_shows_every_run_to_every_caller(show: Show, run: Run) -> None:
    assert show(run.run_id, caller="somebody else", one_tenant=True).owner == ANYBODY


def test_a_request_that_waits_takes_a_place_and_gives_it_back(
    show: Show,
    run: Run,
    clock: FakeClock,
    repository: InMemoryRunRepository,
    waiting_requests: InMemoryWaitingRequests,
) -> None:
    taken: list[int] = []
    clock.schedule(1, lambda: taken.append(len(waiting_requests.taken[ANYBODY])))
    clock.schedule(2, lambda: repository.complete_run(run, DONE, START))

    show(run.run_id, wait=20)

    assert taken == [1]
    assert waiting_requests.taken[ANYBODY] == {}


def test_a_request_that_does_not_wait_takes_no_place(
    show: Show, run: Run, repository: InMemoryRunRepository, waiting_requests: InMemoryWaitingRequests
) -> None:
    show(run.run_id, wait=0)
    repository.complete_run(run, DONE, START)
    show(run.run_id, wait=20)

    assert ANYBODY not in waiting_requests.taken


def test_a_place_is_given_back_also_if_the_table_fails(
    show: Show,
    run: Run,
    clock: FakeClock,
    repository: InMemoryRunRepository,
    waiting_requests: InMemoryWaitingRequests,
) -> None:
    clock.schedule(1, lambda: repository.delete_run(run.run_id))

    with pytest.raises(NotFound):
        show(run.run_id, wait=20)

    assert waiting_requests.taken[ANYBODY] == {}


@pytest.mark.parametrize(
    ("others", "seconds"), [(0, 20), (4, 20), (5, 5), (9, 5), (10, 0)], ids=lambda value: str(value)
)
def test_the_more_requests_of_a_caller_wait_the_shorter_is_the_next_wait(
    show: Show,
    run: Run,
    clock: FakeClock,
    waiting_requests: InMemoryWaitingRequests,
    others: int,
    seconds: int,
) -> None:
    """Of ten places."""
    for _ in range(others):
        waiting_requests.take_place(ANYBODY, clock.now(), clock.now() + timedelta(minutes=1))

    show(run.run_id, wait=20)

    assert clock.monotonic() == seconds


def test_requests_of_one_caller_take_no_places_of_another(
    show: Show, run: Run, clock: FakeClock, waiting_requests: InMemoryWaitingRequests
) -> None:
    for _ in range(10):
        waiting_requests.take_place("somebody else", clock.now(), clock.now() + timedelta(minutes=1))

    show(run.run_id, wait=20)

    assert clock.monotonic() == 20
