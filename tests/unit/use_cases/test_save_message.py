from collections.abc import Callable

import pytest
from support.fakes.batch_repository import InMemoryBatchRepository
from support.fakes.clock import START, FakeClock
from support.fakes.run_api import FakeRunApi
from support.fakes.run_repository import InMemoryRunRepository
from support.fakes.senders import InMemoryEventPublisher
from support.fakes.workflow import InMemoryWorkflow
from support.run_records import UPSTREAM_RUN, USAGE, new_run

from upcall.domain.errors import NotFound, RequestRejected, RunAlreadyEnded, TransientError
from upcall.domain.events import MAX_EXCERPT_CHARACTERS, RunEndedEvent
from upcall.domain.failure import MAX_FAILURE_CHARACTERS, Failure
from upcall.domain.prices import PriceList
from upcall.domain.run import Run
from upcall.domain.upstream_errors import MAX_ERRORS
from upcall.domain.upstream_run import Message
from upcall.domain.usage import NO_USAGE
from upcall.run_apis.base import MIN_REQUEST_SECONDS
from upcall.use_cases.save_message import MAX_SECONDS, REQUEST_SECONDS, save_message

CANCELLED = Failure(status="cancelled", code="cancelled", message="Stop.")
NO_MESSAGE = Failure(code="no_message", message="The model ended its turn without a message.")

SaveMessage = Callable[[Run], RunEndedEvent]
"""Save the message. Returns the one event that was published."""


@pytest.fixture
def save(
    repository: InMemoryRunRepository,
    run_api: FakeRunApi,
    publisher: InMemoryEventPublisher,
    clock: FakeClock,
) -> SaveMessage:
    def call(run: Run) -> RunEndedEvent:
        save_message(
            run.run_id,
            UPSTREAM_RUN,
            repository=repository,
            get_run_api=run_api.get,
            publisher=publisher,
            batches=InMemoryBatchRepository(),
            waiting_tasks=InMemoryWorkflow(),
            prices=PriceList(),
            clock=clock,
        )
        (event,) = publisher.events
        return event

    return call


@pytest.fixture
def run(repository: InMemoryRunRepository) -> Run:
    """A run that is in progress."""
    run = repository.add_run(new_run())
    repository.record_creation(run, UPSTREAM_RUN, "polled")
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


@pytest.mark.parametrize("text", ["", " \n\t", "\u3000"], ids=repr)
def test_a_run_without_a_message_has_failed(
    save: SaveMessage, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi, text: str
) -> None:
    run_api.message = Message(text=text, usage=USAGE)

    event = save(run)

    ended = repository.get_run(run.run_id)
    assert event.failure == ended.failure == NO_MESSAGE
    assert (event.event, ended.status, ended.usage) == ("Run Failed", "failed", USAGE)
    assert (event.message_excerpt, repository.get_message(ended)) == (None, None)


@pytest.mark.parametrize("text", ["", "\n"], ids=repr)
def test_a_refusal_is_the_runs_failure_in_the_models_words(
    save: SaveMessage, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi, text: str
) -> None:
    run_api.message = Message(text=text, refusal="I can't help with that.", usage=USAGE)

    event = save(run)

    ended = repository.get_run(run.run_id)
    assert event.failure == ended.failure == Failure(code="refusal", message="I can't help with that.")
    assert (ended.status, ended.usage, repository.get_message(ended)) == ("failed", USAGE, None)


def test_a_long_refusal_is_shortened(save: SaveMessage, run: Run, run_api: FakeRunApi) -> None:
    run_api.message = Message(text="", refusal="x" * 10_000)

    failure = save(run).failure

    assert failure is not None
    assert failure.message == "x" * MAX_FAILURE_CHARACTERS + "… (6,000 characters more)"


def test_a_message_beside_a_refusal_is_a_message(
    save: SaveMessage, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    run_api.message = Message(text="Half of it.", refusal="Not the other half.")

    assert save(run).status == "completed"
    assert repository.get_message(repository.get_run(run.run_id)) == "Half of it."


def test_the_message_is_that_of_the_upstream_run_and_read_for_the_run(
    save: SaveMessage, run: Run, run_api: FakeRunApi
) -> None:
    save(run)

    assert run_api.read == [(run, UPSTREAM_RUN)]


def test_a_request_without_an_answer_is_repeated(
    save: SaveMessage, run: Run, run_api: FakeRunApi, clock: FakeClock
) -> None:
    run_api.hang_next("get_message", clock)

    assert save(run).status == "completed"
    assert clock.monotonic() == pytest.approx(REQUEST_SECONDS, abs=1.1)


def test_a_server_that_never_answers_is_the_runs_failure_after_a_minute(
    save: SaveMessage, run: Run, run_api: FakeRunApi, clock: FakeClock
) -> None:
    for _ in range(MAX_ERRORS):
        run_api.hang_next("get_message", clock)

    event = save(run)

    assert clock.monotonic() == pytest.approx(MAX_SECONDS, abs=MIN_REQUEST_SECONDS)
    assert event.failure == Failure(
        code="upstream_error",
        message="The message could not be read. The last error of the server: no answer (ReadTimeout)",
    )


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


def test_a_message_that_is_read_after_a_few_errors_completes_the_run(
    save: SaveMessage, run: Run, run_api: FakeRunApi, clock: FakeClock
) -> None:
    for _ in range(3):
        run_api.fail_next("get_message", TransientError("no connection"))

    assert save(run).status == "completed"
    assert len(clock.sleeps) == 3
    assert clock.sleeps == sorted(clock.sleeps)


def test_errors_in_a_row_are_the_runs_failure_in_the_words_of_the_server(
    save: SaveMessage, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi, clock: FakeClock
) -> None:
    for _ in range(MAX_ERRORS):
        run_api.fail_next("get_message", TransientError("503: busy", detail="503: Come back tomorrow."))

    event = save(run)

    assert event.failure is not None
    assert event.failure.code == "upstream_error"
    assert event.failure.message.endswith(": 503: Come back tomorrow.")
    assert repository.get_run(run.run_id).status == "failed"
    assert clock.monotonic() <= MAX_SECONDS


@pytest.mark.parametrize(("retry_after", "status"), [(0, "completed"), (20, "completed"), (3600, "failed")])
def test_a_server_that_says_when_to_come_back_is_waited_for_within_the_minute(
    save: SaveMessage, run: Run, run_api: FakeRunApi, clock: FakeClock, retry_after: float, status: str
) -> None:
    run_api.fail_next("get_message", TransientError("429: busy", retry_after))

    assert save(run).status == status
    assert all(0 < seconds <= MAX_SECONDS for seconds in clock.sleeps)


def test_a_server_that_always_says_at_once_is_not_asked_without_a_pause(
    save: SaveMessage, run: Run, run_api: FakeRunApi, clock: FakeClock
) -> None:
    for _ in range(1000):
        run_api.fail_next("get_message", TransientError("429: busy", 0))

    assert save(run).status == "failed"
    assert len(clock.sleeps) <= 120


def test_a_run_that_does_not_exist_is_not_found(save: SaveMessage) -> None:
    with pytest.raises(NotFound):
        save(new_run())
