"""Final events of runs with a callback: delivers each, again and again until it arrives or is a day old."""

import time
from typing import Annotated, Any

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from pydantic import BaseModel, Field, ValidationError

from upcall import config
from upcall.aws.run_repository import run_repository
from upcall.aws.secrets_manager import get_secret, secrets_provider
from upcall.aws.sqs import delay_message, send_to_dead_letter_queue
from upcall.domain.errors import InvalidInput, InvalidSecret, TransientError
from upcall.domain.validation import field_errors
from upcall.lambda_runtime.init import load_at_init
from upcall.lambda_runtime.sqs_batch import sqs_batch
from upcall.observability.logging import log_context
from upcall.use_cases.deliver_callback import MAX_AGE_SECONDS, deliver_callback, retry_delay_seconds
from upcall.web.standard_webhooks import TIMEOUT_SECONDS, post
from upcall.web.transport import GuardedTransport, TransferBudget
from upcall.web.urls import parse_url

load_at_init(run_repository, secrets_provider)
MAX_RESPONSE_BYTES = 65_536
"""Only the status of the response is used."""


class _Detail(BaseModel):
    run_id: Annotated[str, Field(min_length=1, max_length=80)]


class _Event(BaseModel):
    """The event on the bus. Only the run's id is used."""

    detail: _Detail


@sqs_batch
def lambda_handler(record: SQSRecord) -> None:
    """Deliver one event, delay it, or send it to the dead-letter queue with the reason."""
    try:
        run_id = _Event.model_validate_json(record.body).detail.run_id
    except ValidationError as error:
        reason = str(InvalidInput(*field_errors(error)))
        send_to_dead_letter_queue(config.callback_dead_letter_queue_url(), record.body, reason)
        return
    with log_context(run_id=run_id):
        try:
            deliver_callback(run_id, repository=run_repository(), send_webhook=_send_webhook)
        except InvalidSecret as error:
            name = config.callback_secret_name()
            advice = f"Correct the secret {name} (parameter CallbackSecretName), then redrive this message."
            reason = f"{error}. {advice}"
            send_to_dead_letter_queue(config.callback_dead_letter_queue_url(), record.body, reason)
        except TransientError as error:
            age = time.time() - int(record.attributes.sent_timestamp) / 1000
            if age > MAX_AGE_SECONDS:
                send_to_dead_letter_queue(config.callback_dead_letter_queue_url(), record.body, str(error))
                return
            delay = retry_delay_seconds(int(record.attributes.approximate_receive_count))
            delay_message(config.callback_queue_url(), record.receipt_handle, delay)
            raise


def _send_webhook(url: str, message_id: str, content: dict[str, Any]) -> None:
    with GuardedTransport(TransferBudget(TIMEOUT_SECONDS, MAX_RESPONSE_BYTES)) as transport:
        secret = get_secret(config.callback_secret_name())
        post(str(parse_url(url)), secret, message_id, content, transport)
