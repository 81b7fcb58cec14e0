"""The final event of a run is published once, unless a function dies before it has written that down."""

import pytest
from support.fakes.batch_repository import InMemoryBatchRepository
from support.fakes.clock import START
from support.fakes.run_repository import InMemoryRunRepository
from support.fakes.senders import InMemoryEventPublisher
from support.fakes.workflow import InMemoryWorkflow
from support.run_records import FAILURE, USAGE, new_run

from upcall.domain.errors import TransientError
from upcall.domain.events import RunEndedEvent
from upcall.domain.run import Run
from upcall.domain.upstream_run import Message
from upcall.use_cases.end_run import RunEnded, publish_end


@pytest.fixture
def ended(repository: InMemoryRunRepository) -> Run:
    return repository.record_failure(repository.add_run(new_run()), FAILURE, USAGE, START)


def test_the_event_is_published_and_marked(
    ended: Run, repository: InMemoryRunRepository, publisher: InMemoryEventPublisher
) -> None:
    result = publish_end(ended, repository, publisher, InMemoryBatchRepository(), InMemoryWorkflow())

    assert result == RunEnded(status="failed", failure_code=FAILURE.code)
    assert publisher.events == [RunEndedEvent.of(ended)]
    assert repository.get_run(ended.run_id).event_published


def test_a_completed_run_has_its_message_in_the_event_and_no_failure_code(
    repository: InMemoryRunRepository, publisher: InMemoryEventPublisher
) -> None:
    run = repository.complete_run(repository.add_run(new_run()), Message(text="Done."), START)

    assert publish_end(run, repository, publisher, InMemoryBatchRepository(), InMemoryWorkflow()) == RunEnded(
        status="completed"
    )
    (event,) = publisher.events
    assert event.message_excerpt == "Done."


def test_a_published_event_is_not_published_again_and_the_result_is_the_same(
    ended: Run, repository: InMemoryRunRepository, publisher: InMemoryEventPublisher
) -> None:
    first = publish_end(ended, repository, publisher, InMemoryBatchRepository(), InMemoryWorkflow())
    second = publish_end(
        repository.get_run(ended.run_id), repository, publisher, InMemoryBatchRepository(), InMemoryWorkflow()
    )

    assert first == second
    assert len(publisher.events) == 1


def test_an_event_is_published_again_if_the_function_died_before_it_was_marked(
    ended: Run,
    repository: InMemoryRunRepository,
    publisher: InMemoryEventPublisher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def die(_: Run) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(repository, "mark_event_published", die)
        with pytest.raises(SystemExit):
            publish_end(ended, repository, publisher, InMemoryBatchRepository(), InMemoryWorkflow())
    publish_end(
        repository.get_run(ended.run_id), repository, publisher, InMemoryBatchRepository(), InMemoryWorkflow()
    )

    assert publisher.events == [RunEndedEvent.of(ended)] * 2
    assert repository.get_run(ended.run_id).event_published


def test_an_event_that_the_bus_does_not_accept_is_not_marked(
    ended: Run, repository: InMemoryRunRepository, publisher: InMemoryEventPublisher
) -> None:
    publisher.error = TransientError("the bus did not accept the event")

    with pytest.raises(TransientError):
        publish_end(ended, repository, publisher, InMemoryBatchRepository(), InMemoryWorkflow())
    assert not repository.get_run(ended.run_id).event_published
