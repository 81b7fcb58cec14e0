"""Take up what OpenAI's webhook says: a run has changed.

Nothing in the message is believed but the id of the run upstream: the run itself is looked at. So a message
that is late, early, repeated or about another stack's run does no harm.
"""

from upcall.domain.webhook import WebhookEvent
from upcall.observability.logging import log_context, logger
from upcall.use_cases.interfaces import Clock, GetRunApi, RunRepository, WaitingTasks
from upcall.use_cases.poll_run import poll_run


def receive_webhook(
    message_id: str,
    event: WebhookEvent,
    *,
    repository: RunRepository,
    get_run_api: GetRunApi,
    waiting_tasks: WaitingTasks,
    clock: Clock,
) -> None:
    """Complete the task that waits for this run, if the run has changed. The same message again does nothing.

    If the run could not be looked at, the task is completed with the error, and the workflow looks again.
    Raises TransientError if the task could not be completed; then the message must come again. It is written
    down last, so that one whose function died is taken up when it comes again. Of two at once, one completes
    the task.
    """
    if repository.has_webhook(message_id):
        logger.info("webhook repeated")
        return
    _complete_waiting_task(event.upstream_id, repository, get_run_api, waiting_tasks, clock)
    repository.record_webhook(message_id, clock.now())


def _complete_waiting_task(
    upstream_id: str,
    repository: RunRepository,
    get_run_api: GetRunApi,
    waiting_tasks: WaitingTasks,
    clock: Clock,
) -> None:
    task = repository.get_waiting_task(upstream_id)
    if task is None:  # of another stack, polled, or not stored yet: whoever stores it looks at the run
        logger.info("no task waits for this webhook")
        return
    with log_context(run_id=task.run_id):
        counters = task.counters_at(clock.now())
        snapshot = poll_run(
            task.run_id,
            task.upstream_run,
            task.limits,
            counters,
            0,
            price=task.price,
            repository=repository,
            get_run_api=get_run_api,
            clock=clock,
        )
        if task.is_unchanged(snapshot):
            logger.info("run not changed", status=snapshot.status)
            return
        completed = waiting_tasks.complete_task(task.task_token, task.output(snapshot))
        logger.info("run changed", status=snapshot.status, completed=completed)
