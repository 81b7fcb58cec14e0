"""Deliver a run's final event to the URL that its caller named."""

import json
import random
from typing import Final

from upcall.domain.errors import NotFound, OutcomeUnknown, ToolError, TransientError
from upcall.domain.events import RunEndedEvent
from upcall.observability.logging import logger
from upcall.use_cases.interfaces import RunRepository, WebhookSender

MAX_AGE_SECONDS: Final = 86_400
"""A callback that has not arrived after a day goes to the dead-letter queue."""

FIRST_DELAY_SECONDS: Final = 30
MAX_DELAY_SECONDS: Final = 7200


def deliver_callback(run_id: str, *, repository: RunRepository, send_webhook: WebhookSender) -> None:
    """Post a run's final event to its callback URL. Raises TransientError if it did not arrive.

    What is posted comes from the table: anybody who may put events on the bus could make one up. The
    message's id is the same each time, so that a receiver can recognise a duplicate.
    """
    try:
        run = repository.get_run(run_id)
    except NotFound:
        logger.warning("no run to call back for")
        return
    if run.callback_url is None or not run.ended:
        logger.warning("run has no callback URL, or has not ended")
        return
    event = RunEndedEvent.of(run, repository.get_message(run))
    content = {
        "type": f"run.{event.status}",
        "timestamp": event.ended_at,
        "data": json.loads(event.model_dump_json(exclude={"event", "has_callback"}, exclude_none=True)),
    }
    try:
        send_webhook(run.callback_url, f"msg_{run.execution_name}", content)
    except (ToolError, OutcomeUnknown) as error:
        logger.warning("callback not delivered")
        raise TransientError(str(error)) from error
    logger.info("callback delivered")


def retry_delay_seconds(tries: int) -> int:
    """The delay after so many tries: it doubles up to two hours, less up to half of it at random."""
    longest: int = min(FIRST_DELAY_SECONDS * 2 ** min(tries - 1, 20), MAX_DELAY_SECONDS)
    return round(longest * random.uniform(0.5, 1))  # noqa: S311  # spreads load; no secret depends on it
