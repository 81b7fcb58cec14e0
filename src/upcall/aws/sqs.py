"""SQS: dead-letter queues, callbacks that wait for another try, ended executions."""

import re
from functools import cache
from typing import TYPE_CHECKING

from upcall import config
from upcall.domain.execution import Execution
from upcall.observability.logging import logger

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

REASON_ATTRIBUTE = "reason"
"""The attribute of a message in a dead-letter queue that says why it is there."""

MAX_REASON_CHARACTERS = 1000

_INVALID_CHARACTERS = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What SQS rejects: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html."""


def send_to_dead_letter_queue(queue_url: str, body: str, reason: str) -> None:
    """Put a message that cannot be processed into a dead-letter queue, with the reason."""
    text = _INVALID_CHARACTERS.sub("\ufffd", reason[:MAX_REASON_CHARACTERS]) or "unknown"
    logger.warning("message sent to the dead-letter queue")  # without the reason, which may quote the message
    _client().send_message(
        QueueUrl=queue_url,
        MessageBody=body,
        MessageAttributes={REASON_ATTRIBUTE: {"DataType": "String", "StringValue": text}},
    )


def delay_message(queue_url: str, receipt_handle: str, seconds: int) -> None:
    """Have a message that was received, and not processed, delivered again after so many seconds."""
    _client().change_message_visibility(
        QueueUrl=queue_url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds
    )


def enqueue_ended_execution(execution: Execution) -> None:
    """Have `close_run` close the run of an execution."""
    _client().send_message(
        QueueUrl=config.ended_execution_queue_url(), MessageBody=ended_execution_message(execution)
    )


def ended_execution_message(execution: Execution) -> str:
    """The message about an ended execution, in the form of Step Functions' events."""
    return '{"detail":' + execution.model_dump_json() + "}"


@cache
def _client() -> "SQSClient":
    import boto3

    return boto3.client("sqs")
