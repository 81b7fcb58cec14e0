"""Save the final message of a completed run, once, and publish that the run has ended."""

from upcall.domain.errors import RequestRejected, TransientError
from upcall.domain.failure import Failure, rejection
from upcall.domain.prices import PriceList, priced
from upcall.domain.run import Run
from upcall.domain.upstream_errors import NO_ERRORS
from upcall.domain.upstream_run import Message, UpstreamRun
from upcall.observability.logging import logger
from upcall.run_apis.base import time_limit
from upcall.use_cases.end_run import RunEnded, end_with_failure, end_with_message, publish_end
from upcall.use_cases.interfaces import (
    BatchRepository,
    Clock,
    EventPublisher,
    GetRunApi,
    RunRepository,
    WaitingTasks,
)

MAX_SECONDS = 60.0
"""For all requests and the pauses between them. The function's time-out is 90 s."""

REQUEST_SECONDS = 20.0
"""For one request, so that one without an answer leaves time for another."""

MIN_PAUSE_SECONDS = 0.5


def save_message(
    run_id: str,
    upstream_run: UpstreamRun,
    *,
    repository: RunRepository,
    get_run_api: GetRunApi,
    publisher: EventPublisher,
    batches: BatchRepository,
    waiting_tasks: WaitingTasks,
    prices: PriceList,
    clock: Clock,
) -> RunEnded:
    """Save the message, or why there is none: that is a failure. Then publish the end.

    A run that has ended already stays as it is. Raises NotFound, TransientError, RunAlreadyEnded.
    """
    run = repository.get_run(run_id)
    if not run.ended:
        message = _get_message(run, upstream_run, get_run_api, clock)
        if isinstance(message, Message):
            usage = priced(message.usage, prices.find(run.model, run.completion_window))
            message = message.model_copy(update={"usage": usage})
        if isinstance(message, Failure):
            run = end_with_failure(run, message, repository, clock)
        elif failure := _missing_text(message):
            run = end_with_failure(run, failure, repository, clock, message.usage)
        else:
            run = end_with_message(run, message, repository, clock)
    return publish_end(run, repository, publisher, batches, waiting_tasks)


def _get_message(
    run: Run, upstream_run: UpstreamRun, get_run_api: GetRunApi, clock: Clock
) -> Message | Failure:
    """The message. After errors of the server the request is repeated, until they are a failure."""
    end = clock.monotonic() + MAX_SECONDS
    errors = NO_ERRORS
    while True:
        try:
            with time_limit(min(end - clock.monotonic(), REQUEST_SECONDS)):
                return get_run_api(upstream_run.run_api).get_message(run, upstream_run)
        except RequestRejected as error:
            return rejection(error)
        except TransientError as error:
            errors = errors.add(error)
            logger.warning("upstream request failed", error=str(error), errors=errors.count)
            pause = max(errors.pause_seconds(error), MIN_PAUSE_SECONDS)
        if errors.failure:
            return errors.failure
        if clock.monotonic() + pause > end:
            message = f"The message could not be read. The last error of the server: {errors.last}"
            return Failure(code="upstream_error", message=message)
        clock.sleep(pause)


def _missing_text(message: Message) -> Failure | None:
    """Why a completed run has no text to show; None if it has one."""
    if message.text.strip():
        return None
    if message.refusal:
        return Failure(code="refusal", message=message.refusal)
    return Failure(code="no_message", message="The model ended its turn without a message.")
