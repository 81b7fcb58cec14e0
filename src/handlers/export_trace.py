"""Final events of runs: sends each run as a trace, until it arrives or is a day old."""

import time
from collections.abc import Mapping
from typing import Annotated, Any

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from pydantic import BaseModel, Field, ValidationError

from upcall import config
from upcall.aws.run_repository import run_repository
from upcall.aws.secrets_manager import get_secret, secrets_provider
from upcall.aws.sqs import delay_message, send_to_dead_letter_queue
from upcall.domain.errors import InvalidInput, InvalidSecret, RequestRejected, TransientError
from upcall.domain.redelivery import MAX_AGE_SECONDS, retry_delay_seconds
from upcall.domain.validation import field_errors
from upcall.lambda_runtime.init import load_at_init
from upcall.lambda_runtime.sqs_batch import sqs_batch
from upcall.observability.logging import log_context
from upcall.use_cases.export_trace import export_trace
from upcall.web.otlp import parse_headers, send_spans

load_at_init(run_repository, secrets_provider)


class _Detail(BaseModel):
    run_id: Annotated[str, Field(min_length=1, max_length=80)]


class _Event(BaseModel):
    """The event on the bus, of which only the id is used."""

    detail: _Detail


@sqs_batch
def lambda_handler(record: SQSRecord) -> None:
    """Send one run, delay it, or send the event to the dead-letter queue with the reason."""
    try:
        run_id = _Event.model_validate_json(record.body).detail.run_id
    except ValidationError as error:
        _give_up(record, str(InvalidInput(*field_errors(error))))
        return
    with log_context(run_id=run_id):
        try:
            _export(run_id)
        except InvalidSecret as error:
            _give_up(
                record, f"{error}. Correct it (parameter OtlpHeadersSecretName), then redrive this message."
            )
        except RequestRejected as error:
            _give_up(record, str(error))
        except TransientError as error:
            age = time.time() - int(record.attributes.sent_timestamp) / 1000
            if age > MAX_AGE_SECONDS:
                _give_up(record, str(error))
                return
            tries = int(record.attributes.approximate_receive_count)
            delay = retry_delay_seconds(tries, error.retry_after)
            delay_message(config.trace_queue_url(), record.receipt_handle, delay)
            raise


def _export(run_id: str) -> None:
    if config.otlp_endpoint():
        export_trace(
            run_id,
            service_name=config.service_name(),
            with_content=config.trace_content(),
            repository=run_repository(),
            send_spans=_send_spans,
        )


def _send_spans(request: Mapping[str, Any]) -> int:
    name = config.otlp_headers_secret_name()
    headers = parse_headers(name, get_secret(name)) if name else {}
    return send_spans(config.otlp_endpoint(), headers, request)


def _give_up(record: SQSRecord, reason: str) -> None:
    send_to_dead_letter_queue(config.trace_dead_letter_queue_url(), record.body, reason)
