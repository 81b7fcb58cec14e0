from collections.abc import Callable

import pytest
from support.fakes.clock import START, FakeClock
from support.fakes.run_repository import InMemoryRunRepository
from support.fakes.waiting_requests import InMemoryWaitingRequests
from support.run_records import FAILURE, UPSTREAM_RUN, USAGE, new_run

from upcall.domain.caller import ANYBODY, Caller
from upcall.domain.errors import NotFound
from upcall.domain.long_poll import RETRY_SECONDS
from upcall.domain.message_text import StoredPiece, TextPiece
from upcall.domain.run import Run
from upcall.domain.run_events import MAX_TEXT_CHARACTERS, MAX_TEXT_PIECES
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
    def call(
        run_id: str, after: int = 0, wait: float = 0, caller: str = ANYBODY, text_after: int | None = None
    ) -> ListedEvents:
        return list_events(
            run_id,
            after,
            100,
            wait,
            Caller(caller, one_tenant=False),
            text_after,
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


def piece(number: int, text: str = "Hello") -> StoredPiece:
    return StoredPiece(
        number=number, round=0, offset=5 * (number - 1), text=text, upstream_run=UPSTREAM_RUN, position=number
    )


@pytest.fixture
def streamed_run(repository: InMemoryRunRepository) -> Run:
    run = repository.add_run(new_run(stream=True))
    for number in (1, 2):
        repository.add_piece(run.run_id, piece(number))
    return run


def test_text_is_listed_if_it_is_asked_for(listed: List, streamed_run: Run) -> None:
    page = listed(streamed_run.run_id, text_after=0).page

    assert page.text == tuple(
        TextPiece(number=number, round=0, offset=offset, text="Hello") for number, offset in ((1, 0), (2, 5))
    )
    assert page.next_text == 2
    assert listed(streamed_run.run_id).page.text is None


def test_a_run_that_is_not_streamed_has_no_text(listed: List, run: Run) -> None:
    page = listed(run.run_id, text_after=0).page

    assert (page.text, page.next_text) == ((), 0)


def test_the_response_waits_for_the_next_piece_of_text(
    listed: List, streamed_run: Run, clock: FakeClock, repository: InMemoryRunRepository
) -> None:
    clock.schedule(3.3, lambda: repository.add_piece(streamed_run.run_id, piece(3)))

    page = listed(streamed_run.run_id, after=1, wait=20, text_after=2).page

    assert [each.number for each in page.text or ()] == [3]
    assert clock.monotonic() <= 3.3 + POLL_INTERVAL_SECONDS
    assert listed(streamed_run.run_id, after=1, text_after=3).page.next_text == 3


def test_a_long_text_comes_in_several_responses_and_the_run_has_not_ended_before_the_last(
    listed: List, streamed_run: Run, repository: InMemoryRunRepository
) -> None:
    for number in (3, 4):
        repository.add_piece(streamed_run.run_id, piece(number, "x" * (MAX_TEXT_CHARACTERS - 10)))
    repository.record_failure(streamed_run, FAILURE, USAGE, START)

    pages = [listed(streamed_run.run_id, text_after=after).page for after in (0, 3, 4)]

    assert [[each.number for each in page.text or ()] for page in pages] == [[1, 2, 3], [4], []]
    assert [(page.next_text, page.ended) for page in pages] == [(3, False), (4, True), (4, True)]


def test_so_many_pieces_are_in_one_response(
    listed: List, streamed_run: Run, repository: InMemoryRunRepository
) -> None:
    for number in range(3, MAX_TEXT_PIECES + 3):
        repository.add_piece(streamed_run.run_id, piece(number))

    page = listed(streamed_run.run_id, text_after=0).page

    assert page.next_text == len(page.text or ()) == MAX_TEXT_PIECES
