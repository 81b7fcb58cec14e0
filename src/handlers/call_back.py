"""Announcements of runs with a callback: each is posted, and put off until it arrives, for a day at most."""

import time

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from upcall.callbacks import TRY_FOR_SECONDS, call_back, pause_seconds
from upcall.errors import InvalidInput, TryAgain
from upcall.messages import messages
from upcall.queues import bury_callback, put_off_callback


@messages
def lambda_handler(record: SQSRecord) -> None:
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
