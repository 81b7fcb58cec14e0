from collections.abc import Callable

import pytest
from support.fakes.clock import START, FakeClock
from support.fakes.run_repository import InMemoryRunRepository
from support.fakes.waiting_requests import InMemoryWaitingRequests
from support.run_records import UPSTREAM_RUN, new_run

from upcall.domain.caller import ANYBODY, Caller
from upcall.domain.errors import NotFound
from upcall.domain.long_poll import RETRY_SECONDS
from upcall.domain.run import Run
from upcall.domain.upstream_run import Message
from upcall.use_cases.get_run import POLL_INTERVAL_SECONDS
from upcall.use_cases.list_events import ListedEvents, list_events

List = Callable[..., ListedEvents]
"""List the events of a run: its id, the number of the last known one, the seconds to wait, and the caller."""


@pytest.fixture
def waiting_requests() -> InMemoryWaitingRequests:
    return InMemoryWaitingRequests()


@pytest.fixture
def listed(
    repository: InMemoryRunRepository, clock: FakeClock, waiting_requests: InMemoryWaitingRequests
) -> List:
    def call(run_id: str, after: int = 0, wait: float = 0, caller: str = ANYBODY) -> ListedEvents:
        return list_events(
            run_id,
            after,
            100,
            wait,
            Caller(caller, one_tenant=False),
            repository=repository,
            waiting_requests=waiting_requests,
            clock=clock,
        )

    return call


@pytest.fixture
def run(repository: InMemoryRunRepository) -> Run:
    return repository.add_run(new_run())


def test_what_has_happened_is_listed_at_once(listed: List, run: Run, clock: FakeClock) -> None:
    page = listed(run.run_id, wait=20).page

    assert [event.type for event in page.events] == ["run.queued"]
    assert (page.next, page.ended, clock.sleeps) == (1, False, [])


def test_the_response_waits_for_the_next_event(
    listed: List, run: Run, clock: FakeClock, repository: InMemoryRunRepository
) -> None:
    clock.schedule(3.3, lambda: repository.record_creation(run, UPSTREAM_RUN, "polled"))

    page = listed(run.run_id, after=1, wait=20).page

    assert [(event.number, event.type) for event in page.events] == [(2, "run.in_progress")]
    assert clock.monotonic() <= 3.3 + POLL_INTERVAL_SECONDS


def test_without_an_event_the_response_is_empty_when_the_time_is_over(
    listed: List, run: Run, clock: FakeClock
) -> None:
    page = listed(run.run_id, after=1, wait=20).page

    assert (page.events, page.next, page.ended) == ((), 1, False)
    assert sum(clock.sleeps) == pytest.approx(20)


def test_nobody_waits_for_a_run_that_has_ended(
    listed: List, run: Run, clock: FakeClock, repository: InMemoryRunRepository
) -> None:
    repository.complete_run(run, Message(text="Done."), START)

    first = listed(run.run_id, wait=20).page
    again = listed(run.run_id, after=first.next, wait=20).page

    assert [event.type for event in first.events] == ["run.queued", "message.saved", "run.completed"]
    assert (first.ended, again.ended, again.events, clock.sleeps) == (True, True, (), [])


def test_a_request_that_may_not_wait_says_when_to_come_again(
    listed: List, run: Run, clock: FakeClock, waiting_requests: InMemoryWaitingRequests
) -> None:
    while waiting_requests.take_place(ANYBODY, clock.now(), clock.now().replace(year=2100)):
        pass

    response = listed(run.run_id, after=1, wait=20)

    assert (response.retry_after, response.page.events, clock.sleeps) == (RETRY_SECONDS, (), [])


def test_the_run_of_another_caller_is_not_found(listed: List, run: Run) -> None:
    with pytest.raises(NotFound):
        listed(run.run_id, caller="ann")
