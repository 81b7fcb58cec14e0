"""Lambda's event source mappings of SQS queues: messages of a queue invoke a function, in batches."""

import json
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError

from local.lambda_runtime import FunctionRunner, Throttled

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

LONG_POLL_SECONDS = 20
"""SQS answers a long poll at once if a message arrives."""

RETRY_SECONDS = 1


class EventSourceMapping:
    """Invokes a function with the messages of a queue until it is stopped.

    Messages that the function names in `batchItemFailures`, or all of a batch if the function fails, become
    visible again after the queue's visibility timeout. The queue's redrive policy moves them to the
    dead-letter queue. While the mapping is not enabled, messages stay in the queue.
    """

    def __init__(
        self,
        sqs: "SQSClient",
        queue_url: str,
        function: str,
        batch: int,
        runner: FunctionRunner,
        is_enabled: Callable[[], bool] = lambda: True,
    ) -> None:
        self._sqs, self._runner, self._is_enabled = sqs, runner, is_enabled
        self._queue_url, self._function, self._batch = queue_url, function, batch
        self._stopped = threading.Event()
        self._delivering = threading.Lock()
        threading.Thread(target=self._poll, daemon=True, name=f"poll {function}").start()

    def stop(self) -> None:
        """Stop after the current batch. Does not wait for the end of a long poll."""
        self._stopped.set()
        with self._delivering:
            pass

    def _poll(self) -> None:
        while not self._stopped.is_set():
            try:
                if not self._is_enabled():
                    self._stopped.wait(RETRY_SECONDS)
                    continue
                messages = self._receive()
                with self._delivering:
                    if not self._is_enabled():
                        self._return(messages)
                    elif messages and not self._stopped.is_set():
                        self._deliver(messages)
            except BotoCoreError:  # the queue cannot be reached at the moment
                self._stopped.wait(RETRY_SECONDS)

    def _receive(self) -> "list[MessageTypeDef]":
        response = self._sqs.receive_message(
            QueueUrl=self._queue_url,
            MaxNumberOfMessages=self._batch,
            WaitTimeSeconds=LONG_POLL_SECONDS,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return response.get("Messages", [])

    def _return(self, messages: "list[MessageTypeDef]") -> None:
        """Let messages that were received before the mapping was disabled be visible again."""
        for message in messages:
            self._sqs.change_message_visibility(
                QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )

    def _deliver(self, messages: "list[MessageTypeDef]") -> None:
        event = {"Records": [_record(message, self._queue_url) for message in messages]}
        try:
            result = self._runner.invoke(self._function, json.dumps(event))
        except Throttled:  # Lambda returns the messages to the queue
            return
        if result.is_error:
            return
        failed = {each["itemIdentifier"] for each in json.loads(result.payload)["batchItemFailures"]}
        for message in messages:
            if message["MessageId"] not in failed:
                self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"])


def _record(message: "MessageTypeDef", queue_url: str) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:{queue_url.rpartition('/')[2]}",
        "awsRegion": "us-east-1",
    }
