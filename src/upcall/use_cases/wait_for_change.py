"""Wait until OpenAI's webhook says that a run has changed; nothing runs meanwhile.

The task's token is stored first, and then the run is looked at once: a webhook that came before the token was
stored found nothing to complete, but what it told of is seen now. Every later one finds the token.
"""

from upcall.domain.upstream_run import UpstreamSnapshot
from upcall.domain.waiting_task import WaitingTask
from upcall.use_cases.interfaces import Clock, GetRunApi, RunRepository
from upcall.use_cases.poll_run import poll_run

MIN_SECONDS_LEFT = 160.0
"""To the run's time limit. A run with less time is polled: a task that waits cannot end it at that moment.
The first time-out of a task that waits is 150 s."""


def wait_for_change(
    task: WaitingTask, *, repository: RunRepository, get_run_api: GetRunApi, clock: Clock
) -> UpstreamSnapshot | None:
    """Let the task wait for a webhook. Returns the run at once if there is a reason not to; None if it waits.

    The reasons are: the run has changed already, has exceeded a limit, or could not be looked at.
    """
    webhook_id = get_run_api(task.upstream_run.run_api).webhook_id(task.upstream_run)
    if webhook_id is not None:
        repository.add_waiting_task(webhook_id, task)
    snapshot = _poll(task, 0, repository, get_run_api, clock)
    return None if webhook_id is not None and task.is_unchanged(snapshot) else snapshot


def wait_or_poll(
    task: WaitingTask,
    window_seconds: float,
    *,
    pushed: bool,
    may_wait: bool,
    stream: bool = False,
    repository: RunRepository,
    get_run_api: GetRunApi,
    clock: Clock,
) -> UpstreamSnapshot | None:
    """After a request that lets the model work: wait for a webhook if the run is pushed, or else poll.

    The text of a run with `stream` is recorded as it is written, so such a run is polled. A task that may not
    wait looks at the run once. If it has not changed, the workflow waits on in a state of
    its own.
    """
    if not pushed or task.limits.seconds - task.counters.seconds <= MIN_SECONDS_LEFT:
        return _poll(task, window_seconds, repository, get_run_api, clock, stream=stream)
    if may_wait:
        return wait_for_change(task, repository=repository, get_run_api=get_run_api, clock=clock)
    snapshot = _poll(task, 0, repository, get_run_api, clock)
    return snapshot.model_copy(update={"pause_seconds": 0}) if task.is_unchanged(snapshot) else snapshot


def _poll(
    task: WaitingTask,
    window_seconds: float,
    repository: RunRepository,
    get_run_api: GetRunApi,
    clock: Clock,
    *,
    stream: bool = False,
) -> UpstreamSnapshot:
    return poll_run(
        task.run_id,
        task.upstream_run,
        task.limits,
        task.counters,
        window_seconds,
        price=task.price,
        stream=stream,
        repository=repository,
        get_run_api=get_run_api,
        clock=clock,
    )
