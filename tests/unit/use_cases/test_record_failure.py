from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from support.fakes.batch_repository import InMemoryBatchRepository
from support.fakes.clock import START, FakeClock
from support.fakes.run_api import FakeRunApi
from support.fakes.run_repository import InMemoryRunRepository
from support.fakes.senders import InMemoryEventPublisher
from support.fakes.workflow import InMemoryWorkflow
from support.run_records import FAILURE, UPSTREAM_RUN, USAGE, new_run

from upcall.domain.errors import NotFound, RequestRejected, TransientError
from upcall.domain.events import RunEndedEvent
from upcall.domain.failure import Failure
from upcall.domain.run import Run
from upcall.domain.upstream_run import Message
from upcall.run_apis.base import CANCEL_SECONDS
from upcall.use_cases.record_failure import record_failure

INCOMPLETE = Failure(status="incomplete", code="max_output_tokens", message="It was too long.")

RecordFailure = Callable[..., RunEndedEvent]
"""Record a failure; `still_running` is true unless it is passed. Returns the one event that was published."""


@pytest.fixture
def record(
    repository: InMemoryRunRepository,
    run_api: FakeRunApi,
    publisher: InMemoryEventPublisher,
    clock: FakeClock,
) -> RecordFailure:
    def call(run: Run, failure: Failure = FAILURE, *, still_running: bool = True) -> RunEndedEvent:
        record_failure(
            run.run_id,
            failure,
            USAGE,
            still_running=still_running,
            repository=repository,
            get_run_api=run_api.get,
            publisher=publisher,
            batches=InMemoryBatchRepository(),
            waiting_tasks=InMemoryWorkflow(),
            clock=clock,
        )
        (event,) = publisher.events
        return event

    return call


@pytest.fixture
def run(repository: InMemoryRunRepository) -> Run:
    """A run that is in progress."""
    run = repository.add_run(new_run(callback_url="https://example.com/"))
    repository.record_creation(run, UPSTREAM_RUN, "polled")
    return repository.get_run(run.run_id)


def test_the_failure_is_recorded_and_the_run_cancelled_upstream(
    record: RecordFailure, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    event = record(run)

    ended = repository.get_run(run.run_id)
    assert (ended.status, ended.failure) == ("failed", FAILURE)
    assert (ended.usage, ended.ended_at) == (USAGE, START)
    assert run_api.cancelled == [UPSTREAM_RUN]
    assert event == RunEndedEvent.of(ended)
    assert (event.event, event.failure, event.usage, event.has_callback) == (
        "Run Failed",
        FAILURE,
        USAGE,
        True,
    )


@pytest.mark.parametrize("status", ["cancelled", "expired", "incomplete"])
def test_the_failure_says_which_status_the_run_ends_with(
    record: RecordFailure, run: Run, repository: InMemoryRunRepository, status: str
) -> None:
    event = record(run, Failure.model_validate({"status": status, "code": status, "message": "It says so."}))

    assert repository.get_run(run.run_id).status == event.status == status
    assert event.event == ("Run Cancelled" if status == "cancelled" else "Run Failed")


def test_a_run_that_has_ended_upstream_is_not_cancelled_there(
    record: RecordFailure, run: Run, run_api: FakeRunApi
) -> None:
    record(run, still_running=False)

    assert run_api.cancelled == []


def test_a_run_that_was_never_created_has_nothing_to_cancel(
    record: RecordFailure, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    run = repository.add_run(new_run())

    assert record(run).status == "failed"
    assert run_api.cancelled == []


def test_a_completed_run_stays_completed(
    record: RecordFailure, run: Run, repository: InMemoryRunRepository
) -> None:
    ended = repository.complete_run(run, Message(text="Done."), START)

    event = record(run)

    assert repository.get_run(run.run_id) == ended.model_copy(update={"event_published": True})
    assert (event.status, event.failure, event.message_excerpt) == ("completed", None, "Done.")


def test_a_run_that_was_cancelled_meanwhile_stays_cancelled(
    record: RecordFailure, run: Run, repository: InMemoryRunRepository
) -> None:
    repository.record_failure(
        run, Failure(status="cancelled", code="cancelled", message="Stop."), USAGE, START
    )

    event = record(run)

    assert (event.event, event.status) == ("Run Cancelled", "cancelled")
    assert repository.get_run(run.run_id).usage == USAGE, "tokens are not counted twice"


def test_a_server_that_cannot_be_reached_is_tried_again_and_the_failure_stays(
    record: RecordFailure, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    run_api.fail_next("cancel", TransientError("no connection"))
    with pytest.raises(TransientError):
        record(run)
    assert repository.get_run(run.run_id).failure == FAILURE

    event = record(run, Failure(code="TransientError", message="POST /responses/1/cancel: no connection"))

    assert event.failure == FAILURE
    assert run_api.cancelled == [UPSTREAM_RUN]


def test_a_run_that_does_not_exist_is_not_found(record: RecordFailure) -> None:
    with pytest.raises(NotFound):
        record(new_run())


def test_an_incomplete_run_keeps_the_text_that_it_has(
    record: RecordFailure, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    run_api.message = Message(text="Once upon a", usage=USAGE)

    event = record(run, INCOMPLETE, still_running=False)

    ended = repository.get_run(run.run_id)
    assert (ended.status, ended.failure) == ("incomplete", INCOMPLETE)
    assert repository.get_message(ended) == "Once upon a"
    assert (event.event, event.message_excerpt, event.message_characters) == ("Run Failed", "Once upon a", 11)
    assert ended.usage == USAGE, "the tokens of the last turn are those of the failure"
    assert run_api.read == [(run, UPSTREAM_RUN)]


@pytest.mark.parametrize("status", ["failed", "cancelled", "expired"])
def test_no_text_is_read_for_a_run_that_has_ended_otherwise(
    record: RecordFailure, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi, status: str
) -> None:
    record(run, Failure.model_validate({"status": status, "code": status, "message": "It says so."}))

    assert run_api.read == []
    assert repository.get_message(repository.get_run(run.run_id)) is None


@pytest.mark.parametrize(
    "error", [TransientError("503"), RequestRejected("404: gone"), RequestRejected("unreadable_response")]
)
def test_an_incomplete_run_whose_text_cannot_be_read_is_recorded_without_it(
    record: RecordFailure,
    run: Run,
    repository: InMemoryRunRepository,
    run_api: FakeRunApi,
    error: Exception,
) -> None:
    run_api.fail_next("get_message", error)

    event = record(run, INCOMPLETE, still_running=False)

    ended = repository.get_run(run.run_id)
    assert (ended.status, ended.failure, event.message_excerpt) == ("incomplete", INCOMPLETE, None)
    assert repository.get_message(ended) is None


def test_an_incomplete_run_that_was_never_created_has_no_text(
    record: RecordFailure, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    run = repository.add_run(new_run())

    assert record(run, INCOMPLETE).message_excerpt is None
    assert run_api.read == []


def test_an_incomplete_run_with_nothing_but_a_refusal_has_no_text(
    record: RecordFailure, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    run_api.message = Message(text="", refusal="No.")

    assert record(run, INCOMPLETE).message_excerpt is None
    assert repository.get_message(repository.get_run(run.run_id)) is None


def test_a_second_try_returns_the_event_with_the_same_text(
    record: RecordFailure, run: Run, run_api: FakeRunApi
) -> None:
    run_api.message = Message(text="Once upon a")
    first = record(run, INCOMPLETE)
    run_api.message = Message(text="Another text")

    assert record(run, INCOMPLETE) == first


@pytest.mark.parametrize("method", ["get_message", "cancel"])
def test_a_server_that_never_answers_delays_the_record_and_the_cancellation_by_seconds(
    record: RecordFailure,
    run: Run,
    repository: InMemoryRunRepository,
    run_api: FakeRunApi,
    clock: FakeClock,
    method: Any,
) -> None:
    run_api.hang_next(method, clock)

    with suppress(TransientError):  # of the cancellation, which the workflow tries again
        record(run, INCOMPLETE)

    assert repository.get_run(run.run_id).failure == INCOMPLETE
    assert clock.monotonic() == pytest.approx(CANCEL_SECONDS, abs=0.1)
