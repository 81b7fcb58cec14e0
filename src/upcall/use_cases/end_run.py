"""The two ways in which a run ends, with a message or with a failure, and the event that says so."""

from upcall.domain.events import RunEndedEvent
from upcall.domain.failure import Failure
from upcall.domain.model import Model
from upcall.domain.run import Run
from upcall.domain.status import Status
from upcall.domain.upstream_run import Message
from upcall.domain.usage import NO_USAGE, Usage
from upcall.observability import metrics
from upcall.use_cases.end_batch_line import end_batch_line
from upcall.use_cases.interfaces import (
    BatchRepository,
    Clock,
    EventPublisher,
    RunRepository,
    WaitingTasks,
)


class RunEnded(Model):
    """How a run ended, for the workflow."""

    status: Status
    failure_code: str = ""


def end_with_message(run: Run, message: Message, repository: RunRepository, clock: Clock) -> Run:
    """Record the final message. Raises RunAlreadyEnded."""
    ended = repository.complete_run(run, message, clock.now())
    metrics.record_run_ended(ended)
    return ended


def end_with_failure(
    run: Run,
    failure: Failure,
    repository: RunRepository,
    clock: Clock,
    usage: Usage = NO_USAGE,
    partial_text: str = "",
) -> Run:
    """Record why the run ended without a complete message. Raises RunAlreadyEnded."""
    ended = repository.record_failure(run, failure, usage, clock.now(), partial_text)
    metrics.record_run_ended(ended)
    return ended


def publish_end(
    run: Run,
    repository: RunRepository,
    publisher: EventPublisher,
    batches: BatchRepository,
    waiting_tasks: WaitingTasks,
) -> RunEnded:
    """Count what an ended run has used, end its line of a batch, and publish its final event.

    If the function dies before it has written down that the event was published, it is published again.
    Whatever invokes the function again repeats all of this. Raises TransientError.
    """
    run = repository.settle_run(run)
    end_batch_line(run, batches, waiting_tasks)
    if not run.event_published:
        publisher.publish(RunEndedEvent.of(run, repository.get_message(run)))
        repository.mark_event_published(run)
    return RunEnded(status=run.status, failure_code=run.failure.code if run.failure else "")
