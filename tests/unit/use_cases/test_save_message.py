from collections.abc import Callable

import pytest
from support.fakes.clock import START, FakeClock
from support.fakes.run_api import FakeRunApi
from support.fakes.run_repository import InMemoryRunRepository
from support.run_records import UPSTREAM_RUN, USAGE, new_run

from upcall.domain.errors import NotFound, RequestRejected, RunAlreadyEnded, TransientError
from upcall.domain.events import MAX_EXCERPT_CHARACTERS, RunEndedEvent
from upcall.domain.failure import Failure
from upcall.domain.run import Run
from upcall.domain.upstream_run import Message
from upcall.domain.usage import NO_USAGE
from upcall.use_cases.save_message import save_message

CANCELLED = Failure(status="cancelled", code="cancelled", message="Stop.")

SaveMessage = Callable[[Run], RunEndedEvent]


@pytest.fixture
def save(repository: InMemoryRunRepository, run_api: FakeRunApi, clock: FakeClock) -> SaveMessage:
    def call(run: Run) -> RunEndedEvent:
        return save_message(
            run.run_id, UPSTREAM_RUN, repository=repository, get_run_api=run_api.get, clock=clock
        )

    return call


@pytest.fixture
def run(repository: InMemoryRunRepository) -> Run:
    """A run that is in progress."""
    run = repository.add_run(new_run())
    repository.record_creation(run, UPSTREAM_RUN)
    return repository.get_run(run.run_id)


def test_the_message_is_saved_and_the_run_completed(
    save: SaveMessage, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    run_api.message = Message(text="Grüße 😀", usage=USAGE)

    event = save(run)

    ended = repository.get_run(run.run_id)
    assert (ended.status, ended.usage, ended.ended_at) == ("completed", USAGE, START)
    assert repository.get_message(ended) == "Grüße 😀"
    assert event == RunEndedEvent.of(ended, "Grüße 😀")
    assert (event.event, event.failure) == ("Run Completed", None)


def test_a_second_try_changes_nothing(save: SaveMessage, run: Run, repository: InMemoryRunRepository) -> None:
    first = save(run)
    ended = repository.get_run(run.run_id)

    assert save(run) == first
    assert repository.get_run(run.run_id) == ended


def test_the_event_has_the_beginning_of_a_long_message(
    save: SaveMessage, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    text = "x" * (MAX_EXCERPT_CHARACTERS + 1)
    run_api.message = Message(text=text)

    event = save(run)

    assert (event.message_excerpt, event.message_characters) == (text[:-1], len(text))
    assert repository.get_message(repository.get_run(run.run_id)) == text


def test_an_empty_message_is_a_message(
    save: SaveMessage, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    run_api.message = Message(text="")

    assert save(run).message_excerpt == ""
    assert repository.get_message(repository.get_run(run.run_id)) == ""


def test_a_late_message_does_not_complete_a_cancelled_run(
    save: SaveMessage, run: Run, repository: InMemoryRunRepository
) -> None:
    repository.record_failure(run, CANCELLED, NO_USAGE, START)

    assert save(run).status == "cancelled"
    assert repository.get_message(repository.get_run(run.run_id)) is None


def test_a_run_that_is_cancelled_while_the_message_is_read_stays_cancelled(
    save: SaveMessage, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    run_api.during_next("get_message", lambda: repository.record_failure(run, CANCELLED, NO_USAGE, START))

    with pytest.raises(RunAlreadyEnded):
        save(run)
    assert save(run).status == "cancelled"


def test_a_message_that_the_server_does_not_give_is_the_runs_failure(
    save: SaveMessage, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    run_api.fail_next("get_message", RequestRejected("404: Not found."))

    event = save(run)

    assert event.failure == Failure(code="RequestRejected", message="404: Not found.")
    assert repository.get_run(run.run_id).status == event.status == "failed"


def test_a_server_that_cannot_be_reached_leaves_the_run_open(
    save: SaveMessage, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    run_api.fail_next("get_message", TransientError("no connection"))

    with pytest.raises(TransientError):
        save(run)
    assert repository.get_run(run.run_id) == run


def test_a_run_that_does_not_exist_is_not_found(save: SaveMessage) -> None:
    with pytest.raises(NotFound):
        save(new_run())
