"""`messages`: the door of every handler that a queue feeds. What fails comes again."""

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from upcall import metrics
from upcall.errors import TryAgain
from upcall.log import about, logger


def messages(handle: Callable[[SQSRecord], None]) -> Callable[[dict[str, Any], LambdaContext], Any]:
    """Make a Lambda handler of a function that handles one message.

    A message that it raises on is put back. Lambda does not count that as an error of the function, so it is
    counted here, unless it is TryAgain, which is the world's fault.
    """

    def handle_one(record: SQSRecord) -> None:
        attempt = int(record.attributes.approximate_receive_count or 1)
        with about(message_id=record.message_id, attempt=attempt, step=handle.__module__):
            try:
                handle(record)
            except TryAgain as error:
                logger.warning("message put back", error=type(error).__name__)
                raise
            except Exception as error:
                logger.exception("message failed", error=type(error).__name__)
                metrics.message_failed()
                raise

    def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Any:
        processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
        return process_partial_response(
            event=event, record_handler=handle_one, processor=processor, context=context
        )

    return lambda_handler
