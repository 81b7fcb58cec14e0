"""Events of runs, for callbacks and for approvers: delivers each until it arrives or is a day old."""

import time
from typing import Annotated, Any, Literal

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from pydantic import BaseModel, Field, ValidationError

from upcall import config
from upcall.aws.run_repository import run_repository
from upcall.aws.secrets_manager import get_secret, secrets_provider
from upcall.aws.sqs import delay_message, send_to_dead_letter_queue
from upcall.domain.errors import InvalidInput, InvalidSecret, TransientError
from upcall.domain.redelivery import MAX_AGE_SECONDS, retry_delay_seconds
from upcall.domain.validation import field_errors
from upcall.lambda_runtime.init import load_at_init
from upcall.lambda_runtime.sqs_batch import sqs_batch
from upcall.observability.logging import log_context
from upcall.use_cases.deliver_callback import deliver_callback, notify_approvers
from upcall.web.callback_sender import post_callback
from upcall.web.standard_webhooks import post

load_at_init(run_repository, secrets_provider)
_SECRETS = {
    "callback": ("CallbackSecretName", config.callback_secret_name),
    "approvers": ("WebhookSecretName", config.webhook_secret_name),
}


class _Detail(BaseModel):
    run_id: Annotated[str, Field(min_length=1, max_length=80)]
    call: Annotated[str, Field(max_length=20)] | None = None


class _Event(BaseModel):
    """The event on the bus, of which only the ids are used, and who is to get it."""

    detail: _Detail
    to: Literal["callback", "approvers"] = "callback"


@sqs_batch
def lambda_handler(record: SQSRecord) -> None:
    """Deliver one event, delay it, or send it to the dead-letter queue with the reason."""
    try:
        event = _Event.model_validate_json(record.body)
    except ValidationError as error:
        _give_up(record, str(InvalidInput(*field_errors(error))))
        return
    with log_context(run_id=event.detail.run_id):
        try:
            _deliver(event)
        except InvalidSecret as error:
            parameter, name = _SECRETS[event.to]
            advice = f"Correct the secret {name()} (parameter {parameter}), then redrive this message."
            _give_up(record, f"{error}. {advice}")
        except TransientError as error:
            age = time.time() - int(record.attributes.sent_timestamp) / 1000
            if age > MAX_AGE_SECONDS:
                _give_up(record, str(error))
                return
            delay = retry_delay_seconds(int(record.attributes.approximate_receive_count))
            delay_message(config.callback_queue_url(), record.receipt_handle, delay)
            raise


def _deliver(event: _Event) -> None:
    run_id, call = event.detail.run_id, event.detail.call
    if event.to == "callback":
        deliver_callback(run_id, call, repository=run_repository(), send_webhook=_send_webhook)
    elif call and config.webhook_url():
        notify_approvers(
            run_id,
            call,
            webhook_url=config.webhook_url(),
            webhook_format=config.webhook_format(),
            approval_url=config.approval_url(),
            repository=run_repository(),
            send_webhook=_send_to_operator,
        )


def _send_webhook(url: str, message_id: str, content: dict[str, Any]) -> None:
    post_callback(url, get_secret(config.callback_secret_name()), message_id, content)


def _send_to_operator(url: str, message_id: str, content: dict[str, Any]) -> None:
    post(url, get_secret(config.webhook_secret_name()), message_id, content)


def _give_up(record: SQSRecord, reason: str) -> None:
    send_to_dead_letter_queue(config.callback_dead_letter_queue_url(), record.body, reason)
