"""Save the final message of a completed run, once."""

from upcall.domain.errors import RequestRejected
from upcall.domain.events import RunEndedEvent
from upcall.domain.failure import rejection
from upcall.domain.upstream_run import UpstreamRun
from upcall.use_cases.end_run import end_with_failure, end_with_message
from upcall.use_cases.interfaces import Clock, GetRunApi, RunRepository


def save_message(
    run_id: str,
    upstream_run: UpstreamRun,
    *,
    repository: RunRepository,
    get_run_api: GetRunApi,
    clock: Clock,
) -> RunEndedEvent:
    """Save the message, or the failure if the server rejects the request for it.

    A run that has ended already stays as it is. Raises NotFound, TransientError, RunAlreadyEnded.
    """
    run = repository.get_run(run_id)
    if not run.ended:
        try:
            message = get_run_api(upstream_run.run_api).get_message(upstream_run)
        except RequestRejected as error:
            run = end_with_failure(run, rejection(error), repository, clock)
        else:
            run = end_with_message(run, message, repository, clock)
    return RunEndedEvent.of(run, repository.get_message(run))
