"""Messages of the request queue: starts the run that each asks for."""

import random

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from upcall import config
from upcall.aws import step_functions
from upcall.aws.run_repository import run_repository
from upcall.aws.sqs import delay_message, send_to_dead_letter_queue
from upcall.domain.caller import EVENTS, Caller
from upcall.domain.errors import (
    IdempotencyKeyConflict,
    InvalidInput,
    QuotaExceeded,
    Stopped,
    TransientError,
)
from upcall.domain.run import Run
from upcall.domain.run_request import RunRequest
from upcall.lambda_runtime.clock import SystemClock
from upcall.lambda_runtime.init import load_at_init
from upcall.lambda_runtime.sqs_batch import sqs_batch
from upcall.observability import metrics
from upcall.observability.logging import logger
from upcall.run_apis import get_run_api
from upcall.use_cases.start_run import RunDefaults, start_run
from upcall.use_cases.start_run_from_event import delay_seconds, start_run_from_event
from upcall.web.callback_urls import check_callback_url

load_at_init(run_repository, step_functions.get_client)

MAX_FAILURES = 5
"""The queue would deliver a message a thousand times."""


@sqs_batch
def lambda_handler(record: SQSRecord) -> None:
    """Start one run. A message that asks for none goes to the dead-letter queue with the reason.

    One that may not start a run now waits in its queue, for up to an hour at a time. One on which we fail
    again and again goes to the dead-letter queue, too.
    """
    received = int(record.attributes.approximate_receive_count or 1)
    try:
        start_run_from_event(record.body, record.message_id, _start_run)
    except (InvalidInput, IdempotencyKeyConflict) as error:
        send_to_dead_letter_queue(config.dead_letter_queue_url(), record.body, str(error))
    except (QuotaExceeded, Stopped) as error:
        seconds = delay_seconds(received, error.retry_after, random.random())  # noqa: S311  # a delay
        delay_message(config.request_queue_url(), record.receipt_handle, seconds)
        raise TransientError(type(error).__name__) from None
    except TransientError:
        raise
    except Exception as error:
        if received < MAX_FAILURES:
            raise
        logger.exception("message failed too often", error=type(error).__name__)
        metrics.record_message_error()
        reason = f"failed {received} times, at last with {type(error).__name__}"
        send_to_dead_letter_queue(config.dead_letter_queue_url(), record.body, reason)


def _start_run(request: RunRequest, idempotency_key: str, traceparent: str | None) -> Run:
    return start_run(
        request,
        Caller(EVENTS, one_tenant=config.one_tenant()),
        idempotency_key,
        traceparent=traceparent,
        defaults=RunDefaults(config.model(), config.run_api(), config.default_quota(), config.price_list()),
        repository=run_repository(),
        get_run_api=get_run_api,
        workflow=step_functions,
        check_callback_url=check_callback_url,
        clock=SystemClock(),
    )
