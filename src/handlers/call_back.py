"""Announcements of runs with a callback: each is posted, and put off until it arrives, for a day at most."""

import time
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from upcall.callbacks import TRY_FOR_SECONDS, call_back, pause_seconds
from upcall.errors import InvalidInput, TryAgain
from upcall.queues import bury_callback, put_off_callback

processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


def deliver(record: SQSRecord) -> None:
    """Post a callback, put it off, or bury it with the reason."""
    try:
        call_back(record.body)
    except InvalidInput as error:
        bury_callback(record.body, str(error))
    except TryAgain as error:
        age = time.time() - int(record.attributes.sent_timestamp) / 1000
        if age > TRY_FOR_SECONDS:
            bury_callback(record.body, str(error))
            return
        put_off_callback(
            record.receipt_handle, pause_seconds(int(record.attributes.approximate_receive_count))
        )
        raise


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Handle a batch; what was put off is named in the answer, and comes again."""
    return process_partial_response(event=event, record_handler=deliver, processor=processor, context=context)
