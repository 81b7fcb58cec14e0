"""The two ways in which a run ends: with a message, or with a failure."""

from upcall.domain.failure import Failure
from upcall.domain.run import Run
from upcall.domain.upstream_run import Message
from upcall.domain.usage import NO_USAGE, Usage
from upcall.observability import metrics
from upcall.use_cases.interfaces import Clock, RunRepository


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
