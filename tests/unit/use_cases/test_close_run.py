from collections.abc import Callable
from typing import Any

import pytest
from support.fakes.batch_repository import InMemoryBatchRepository
from support.fakes.clock import START, FakeClock
from support.fakes.run_api import FakeRunApi
from support.fakes.run_repository import InMemoryRunRepository
from support.fakes.senders import InMemoryEventPublisher
from support.fakes.workflow import InMemoryWorkflow
from support.run_records import FAILURE, UPSTREAM_RUN, USAGE, new_run

from upcall.domain.errors import TransientError
from upcall.domain.execution import Execution
from upcall.domain.failure import MAX_CODE_CHARACTERS, Failure
from upcall.domain.run import Run
from upcall.domain.upstream_run import Message
from upcall.run_apis.base import CANCEL_SECONDS
from upcall.use_cases.close_run import MAX_MESSAGE_CHARACTERS, WORKFLOW_CAUSE, close_run

Close = Callable[..., None]
"""Close a run: by the name of its execution, and how that ended."""


@pytest.fixture
def close(
    repository: InMemoryRunRepository,
    run_api: FakeRunApi,
    publisher: InMemoryEventPublisher,
    clock: FakeClock,
) -> Close:
    def call(name: str, **end: Any) -> None:
        close_run(
            Execution.model_validate({"name": name, **end}),
            repository=repository,
            get_run_api=run_api.get,
            publisher=publisher,
            batches=InMemoryBatchRepository(),
            waiting_tasks=InMemoryWorkflow(),
            clock=clock,
        )

    return call


@pytest.fixture
def run(repository: InMemoryRunRepository) -> Run:
    """A run that is in progress."""
    run = repository.add_run(new_run())
    repository.record_creation(run, UPSTREAM_RUN, "polled")
    return repository.get_run(run.run_id)


@pytest.mark.parametrize(
    ("end", "status", "code", "message"),
    [
        ({"status": "ABORTED"}, "cancelled", "execution_aborted", "The execution was stopped."),
        (
            {"status": "ABORTED", "error": "Maintenance", "cause": "Back soon."},
            "cancelled",
            "Maintenance",
            "The execution was stopped. Back soon.",
        ),
        (
            {"status": "TIMED_OUT"},
            "failed",
            "execution_timed_out",
            "The execution took longer than the workflow allows.",
        ),
        (
            {"status": "FAILED", "error": "States.Runtime", "cause": "History is full."},
            "failed",
            "States.Runtime",
            "The execution failed. History is full.",
        ),
        (
            {"status": "FAILED", "error": "", "cause": ""},
            "failed",
            "execution_failed",
            "The execution failed.",
        ),
        (
            {"status": "SUCCEEDED"},
            "failed",
            "execution_succeeded",
            "The execution ended before the run had ended.",
        ),
    ],
)
def test_an_open_run_is_ended_cancelled_upstream_and_its_event_published(
    close: Close,
    run: Run,
    repository: InMemoryRunRepository,
    run_api: FakeRunApi,
    publisher: InMemoryEventPublisher,
    end: dict[str, Any],
    status: Any,
    code: str,
    message: str,
) -> None:
    close(run.run_id, **end)

    ended = repository.get_run(run.run_id)
    assert (ended.status, ended.failure) == (status, Failure(status=status, code=code, message=message))
    assert (ended.ended_at, ended.event_published) == (START, True)
    assert run_api.cancelled == [UPSTREAM_RUN]
    (event,) = publisher.events
    assert event.event == ("Run Cancelled" if status == "cancelled" else "Run Failed")
    assert (event.run_id, event.failure) == (run.run_id, ended.failure)


def test_long_errors_and_causes_are_cut(close: Close, run: Run, repository: InMemoryRunRepository) -> None:
    close(run.run_id, status="FAILED", error="E" * 256, cause="c" * 32_768)

    failure = repository.get_run(run.run_id).failure
    assert failure is not None
    assert (len(failure.code), len(failure.message)) == (MAX_CODE_CHARACTERS, MAX_MESSAGE_CHARACTERS)


def test_a_run_that_was_never_created_is_closed_without_a_request_to_the_server(
    close: Close,
    repository: InMemoryRunRepository,
    run_api: FakeRunApi,
    publisher: InMemoryEventPublisher,
) -> None:
    run = repository.add_run(new_run())

    close(run.run_id, status="TIMED_OUT")

    assert repository.get_run(run.run_id).status == "failed"
    assert len(publisher.events) == 1
    assert run_api.cancelled == []


def test_the_same_end_delivered_twice_publishes_one_event(
    close: Close, run: Run, publisher: InMemoryEventPublisher
) -> None:
    for _ in range(2):
        close(run.run_id, status="ABORTED")

    assert len(publisher.events) == 1


def test_a_run_that_the_workflow_has_failed_is_left_alone(
    close: Close,
    run: Run,
    repository: InMemoryRunRepository,
    run_api: FakeRunApi,
    publisher: InMemoryEventPublisher,
) -> None:
    ended = repository.record_failure(run, Failure(code="limit_rounds", message="Too many."), USAGE, START)

    close(run.run_id, status="FAILED", error="limit_rounds", cause=WORKFLOW_CAUSE)

    assert repository.get_run(run.run_id) == ended
    assert (publisher.events, run_api.cancelled) == ([], [])


def test_an_open_run_is_closed_even_if_the_workflow_says_that_its_record_has_the_reason(
    close: Close, run: Run, repository: InMemoryRunRepository
) -> None:
    close(run.run_id, status="FAILED", error="x", cause=WORKFLOW_CAUSE)

    assert repository.get_run(run.run_id).status == "failed"


def test_a_recorded_failure_that_was_not_published_is_published_though_the_errors_have_one_name(
    close: Close,
    run: Run,
    repository: InMemoryRunRepository,
    run_api: FakeRunApi,
    publisher: InMemoryEventPublisher,
) -> None:
    """A server that is down fails the poll, and then the request to cancel in "Record failure": TransientError
    both times."""
    failure = Failure(code="TransientError", message="GET /responses/1: no connection")
    repository.record_failure(run, failure, USAGE, START)

    cause = '{"errorType": "TransientError", "errorMessage": "POST /responses/1/cancel: no connection"}'
    close(run.run_id, status="FAILED", error="TransientError", cause=cause)

    (event,) = publisher.events
    assert event.failure == failure
    assert run_api.cancelled == [UPSTREAM_RUN]


def test_a_completed_run_that_was_not_published_is_published_with_its_message(
    close: Close,
    run: Run,
    repository: InMemoryRunRepository,
    run_api: FakeRunApi,
    publisher: InMemoryEventPublisher,
) -> None:
    repository.complete_run(run, Message(text="All is well."), START)

    close(run.run_id, status="FAILED", error="EventBridge.FailedEntry")

    (event,) = publisher.events
    assert event.event == "Run Completed"
    assert (event.message_excerpt, event.message_characters) == ("All is well.", 12)
    assert run_api.cancelled == []


def test_a_completed_run_keeps_its_message(close: Close, run: Run, repository: InMemoryRunRepository) -> None:
    repository.complete_run(run, Message(text="Done."), START)

    close(run.run_id, status="TIMED_OUT")

    ended = repository.get_run(run.run_id)
    assert (ended.status, repository.get_message(ended)) == ("completed", "Done.")


def test_a_run_that_completes_while_it_is_closed_keeps_its_message(
    close: Close,
    run: Run,
    repository: InMemoryRunRepository,
    publisher: InMemoryEventPublisher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record_failure = repository.record_failure

    def completed_before(*arguments: Any) -> Run:
        repository.complete_run(run, Message(text="Done."), START)
        return record_failure(*arguments)

    monkeypatch.setattr(repository, "record_failure", completed_before)

    close(run.run_id, status="ABORTED")

    assert repository.get_run(run.run_id).status == "completed"
    assert [event.event for event in publisher.events] == ["Run Completed"]


def test_a_server_that_cannot_be_reached_is_tried_again_without_a_second_event(
    close: Close,
    run: Run,
    repository: InMemoryRunRepository,
    run_api: FakeRunApi,
    publisher: InMemoryEventPublisher,
) -> None:
    run_api.fail_next("cancel", TransientError("503"))

    with pytest.raises(TransientError):
        close(run.run_id, status="ABORTED")
    assert repository.get_run(run.run_id).status == "cancelled"
    close(run.run_id, status="ABORTED")

    assert run_api.cancelled == [UPSTREAM_RUN]
    assert len(publisher.events) == 1


def test_an_event_that_the_bus_rejects_is_published_when_this_is_tried_again(
    close: Close, run: Run, repository: InMemoryRunRepository, publisher: InMemoryEventPublisher
) -> None:
    publisher.error = TransientError("the bus did not accept the event")
    with pytest.raises(TransientError):
        close(run.run_id, status="ABORTED")
    assert not repository.get_run(run.run_id).event_published

    publisher.error = None
    close(run.run_id, status="ABORTED")

    assert [event.event for event in publisher.events] == ["Run Cancelled"]
    assert repository.get_run(run.run_id).event_published


@pytest.mark.parametrize("name", ["run_x", "run_x-2", "started by hand", "-"])
def test_an_execution_without_a_run_is_ignored(
    close: Close, publisher: InMemoryEventPublisher, name: str
) -> None:
    """The run's retention is over, or somebody has started an execution by hand."""
    close(name, status="ABORTED")

    assert publisher.events == []


@pytest.fixture
def second_attempt(repository: InMemoryRunRepository, run: Run) -> Run:
    """The run, reopened and in progress."""
    reopened = repository.reopen_run(repository.record_failure(run, FAILURE, USAGE, START), None)
    repository.record_creation(reopened, UPSTREAM_RUN, "polled")
    return repository.get_run(run.run_id)


def test_the_end_of_an_earlier_attempt_does_not_end_the_run(
    close: Close,
    second_attempt: Run,
    repository: InMemoryRunRepository,
    run_api: FakeRunApi,
    publisher: InMemoryEventPublisher,
) -> None:
    close(second_attempt.run_id, status="FAILED")

    assert repository.get_run(second_attempt.run_id) == second_attempt
    assert (publisher.events, run_api.cancelled) == ([], [])


def test_the_end_of_a_later_attempt_ends_the_run(
    close: Close, second_attempt: Run, repository: InMemoryRunRepository, publisher: InMemoryEventPublisher
) -> None:
    close(second_attempt.execution_name, status="ABORTED")

    assert repository.get_run(second_attempt.run_id).status == "cancelled"
    assert len(publisher.events) == 1


def test_a_run_that_is_retried_while_its_event_is_published_has_another_event_to_come(
    close: Close,
    run: Run,
    repository: InMemoryRunRepository,
    publisher: InMemoryEventPublisher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish = publisher.publish

    def retried_meanwhile(event: Any) -> None:
        publish(event)
        repository.reopen_run(repository.get_run(run.run_id), None)

    with monkeypatch.context() as patches:
        patches.setattr(publisher, "publish", retried_meanwhile)
        close(run.run_id, status="ABORTED")
    close(f"{run.run_id}-2", status="ABORTED")

    assert len(publisher.events) == 2


def test_a_server_that_never_answers_delays_the_end_by_seconds(
    close: Close,
    run: Run,
    repository: InMemoryRunRepository,
    run_api: FakeRunApi,
    publisher: InMemoryEventPublisher,
    clock: FakeClock,
) -> None:
    run_api.hang_next("cancel", clock)

    with pytest.raises(TransientError):
        close(run.run_id, status="TIMED_OUT")
    assert repository.get_run(run.run_id).status == "failed"
    assert len(publisher.events) == 1
    assert clock.monotonic() == pytest.approx(CANCEL_SECONDS, abs=0.1)


def test_the_event_of_an_incomplete_run_has_the_text_that_it_kept(
    close: Close, run: Run, repository: InMemoryRunRepository, publisher: InMemoryEventPublisher
) -> None:
    """The workflow recorded the end, and died before it published the event."""
    failure = Failure(status="incomplete", code="max_output_tokens", message="It was too long.")
    repository.record_failure(run, failure, USAGE, START, "Once upon a")

    close(run.run_id, status="TIMED_OUT")

    (event,) = publisher.events
    assert (event.status, event.message_excerpt) == ("incomplete", "Once upon a")
