"""The one owner of SQS: dead letters with their reasons, deliveries put off, endings to be looked at."""

import json
import re
from functools import cache
from typing import TYPE_CHECKING

from upcall import settings
from upcall.log import logger

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

REASON = "reason"
"""The attribute of a dead letter that says why it is one."""

MAX_REASON_CHARACTERS = 1000

_UNSENDABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What SQS refuses: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html."""


def bury_request(body: str, reason: str) -> None:
    """Put a message that no run can be started from among the dead letters, with the reason."""
    _bury(settings.dead_letter_queue_url(), body, reason)


def bury_callback(body: str, reason: str) -> None:
    """Put a callback that does not arrive among the dead letters, with the reason."""
    _bury(settings.callback_dead_letter_queue_url(), body, reason)


def bury_end(body: str, reason: str) -> None:
    """Put the end of an execution that nobody can read among the dead letters, with the reason."""
    _bury(settings.ended_execution_dead_letter_queue_url(), body, reason)


def _bury(queue_url: str, body: str, reason: str) -> None:
    """The reason may hold names of fields, which are the sender's own words."""
    reason = _UNSENDABLE.sub("\ufffd", reason[:MAX_REASON_CHARACTERS]) or "unknown"
    logger.warning("message buried")  # the reason may quote what is in it
    _sqs().send_message(
        QueueUrl=queue_url,
        MessageBody=body,
        MessageAttributes={REASON: {"DataType": "String", "StringValue": reason}},
    )


def put_off_callback(receipt: str, seconds: int) -> None:
    """Have a callback that was received and not delivered come again after so many seconds."""
    _sqs().change_message_visibility(
        QueueUrl=settings.callback_queue_url(), ReceiptHandle=receipt, VisibilityTimeout=seconds
    )


def tell_of_end(execution: str, status: str, error: str, cause: str) -> None:
    """Say that an execution has ended, or was never there, in the words of Step Functions' events."""
    detail = {"name": execution, "status": status, "error": error, "cause": cause}
    _sqs().send_message(
        QueueUrl=settings.ended_execution_queue_url(), MessageBody=json.dumps({"detail": detail})
    )


@cache
def _sqs() -> "SQSClient":
    import boto3

    return boto3.client("sqs")
