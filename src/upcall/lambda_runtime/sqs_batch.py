"""`sqs_batch` makes the Lambda handler of a queue: messages that fail are delivered again."""

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from upcall.domain.errors import TransientError
from upcall.observability import metrics
from upcall.observability.logging import log_context, logger


def sqs_batch(handle_message: Callable[[SQSRecord], None]) -> Callable[[dict[str, Any], LambdaContext], Any]:
    """Make a Lambda handler of a function that handles one message.

    A message on which it raises goes back to the queue. Lambda does not count that as an error of the
    function, so it is counted here, except for TransientError.
    """

    def handle_record(record: SQSRecord) -> None:
        attempt = int(record.attributes.approximate_receive_count or 1)
        with log_context(message_id=record.message_id, attempt=attempt, handler=handle_message.__module__):
            try:
                handle_message(record)
            except TransientError as error:
                logger.warning("message returned to the queue", error=type(error).__name__)
                raise
            except Exception as error:
                logger.exception("message failed", error=type(error).__name__)
                metrics.record_message_error()
                raise

    def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Any:
        processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
        return process_partial_response(
            event=event, record_handler=handle_record, processor=processor, context=context
        )

    return lambda_handler
