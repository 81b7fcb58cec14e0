"""Lambda's event source mappings on a laptop: queues are read, and functions get what was in them."""

import json
import threading
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from local.lambda_runtime import FunctionRunner

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

WAIT_SECONDS = 1
"""Of one look into a queue, after which a poller sees whether it is to stop."""


class EventSourceMapping:
    """Feeds a function from a queue until it is stopped.

    What the function names in `batchItemFailures`, and all of a batch that it failed on, comes again
    after the queue's visibility time-out, and goes to the dead letters as the queue's redrive policy says.
    """

    def __init__(self, queue_url: str, function: str, batch: int, runner: FunctionRunner) -> None:
        self._sqs: SQSClient = boto3.client("sqs", config=Config(retries={"total_max_attempts": 1}))
        self._queue_url, self._function, self._batch, self._runner = queue_url, function, batch, runner
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True, name=f"poll {function}")
        self._thread.start()

    def stop(self) -> None:
        """Stop after the batch in hand."""
        self._stopped.set()
        self._thread.join()

    def _poll(self) -> None:
        while not self._stopped.is_set():
            try:
                if messages := self._messages():
                    self._deliver(messages)
            except BotoCoreError:  # the queue is out of reach for a moment
                self._stopped.wait(WAIT_SECONDS)

    def _messages(self) -> list[Any]:
        found = self._sqs.receive_message(
            QueueUrl=self._queue_url,
            MaxNumberOfMessages=self._batch,
            WaitTimeSeconds=WAIT_SECONDS,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return list(found.get("Messages", []))

    def _deliver(self, messages: list[Any]) -> None:
        event = {"Records": [_record(message, self._queue_url) for message in messages]}
        result = self._runner.invoke(self._function, json.dumps(event))
        if result.is_error:
            return
        failed = {each["itemIdentifier"] for each in json.loads(result.payload)["batchItemFailures"]}
        for message in messages:
            if message["MessageId"] not in failed:
                self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"])


def _record(message: dict[str, Any], queue_url: str) -> dict[str, Any]:
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
