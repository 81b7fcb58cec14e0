"""The queue of what could not be started: each message as it came, with the reason."""

from functools import cache
from typing import TYPE_CHECKING

from upcall import settings

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

REASON = "reason"
"""The attribute of a dead letter that says why it is one."""

MAX_REASON_CHARACTERS = 1000


def bury(body: str, reason: str) -> None:
    """Put a message there, with the reason why it cannot be read."""
    _sqs().send_message(
        QueueUrl=settings.dead_letter_queue_url(),
        MessageBody=body,
        MessageAttributes={
            REASON: {"DataType": "String", "StringValue": reason[:MAX_REASON_CHARACTERS] or "unknown"}
        },
    )


@cache
def _sqs() -> "SQSClient":
    import boto3

    return boto3.client("sqs")
