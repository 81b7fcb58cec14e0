"""What `create_run` and `submit_tool_outputs` share: a request that changes a run upstream."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from upcall.domain.errors import RequestRejected, RunAlreadyEnded, TransientError
from upcall.domain.failure import Failure, rejection
from upcall.domain.limits import Counters, Limits, exceeded
from upcall.domain.model import Model
from upcall.domain.upstream_run import UpstreamRun
from upcall.run_apis.base import RunApi

MIN_PAUSE_SECONDS = 1


class UpstreamResult(Model):
    """Where the run lives now, or how long to wait before the request is repeated, or a failure."""

    upstream_run: UpstreamRun | None = None
    pause_seconds: float = 0
    failure: Failure | None = None


def send_upstream_request(
    request: Callable[[], UpstreamRun], limits: Limits, seconds: float
) -> UpstreamResult:
    """Make a request for a run that has taken so many seconds.

    A server that says when to come back (Retry-After) is waited for, as long as the run's limit allows.
    Raises TransientError if it does not say so: the workflow then retries.
    """
    try:
        return UpstreamResult(upstream_run=request())
    except TransientError as error:
        if error.retry_after is None:
            raise
        failure = exceeded(limits, Counters(seconds=seconds))
        return UpstreamResult(pause_seconds=max(error.retry_after, MIN_PAUSE_SECONDS), failure=failure)
    except RequestRejected as error:
        return UpstreamResult(failure=rejection(error))


@contextmanager
def cancel_upstream_if_ended(run_api: RunApi, upstream_run: UpstreamRun) -> Iterator[None]:
    """Cancel what was created upstream for a run that has ended meanwhile. RunAlreadyEnded passes on."""
    try:
        yield
    except RunAlreadyEnded:
        run_api.cancel(upstream_run)
        raise
