"""Hears what the bus of a laptop cloud announces, as an application would that need not ask."""

import json
import threading
from collections import Counter
from typing import Any

import boto3

QUEUE = "upcall-bench-load"
PART = 10
"""Messages that a queue hands out at once, at most (AWS quota)."""


class Ear:
    """Hears everything from its making to its end. Expects boto3's environment to point at the cloud."""

    def __init__(self, bus: str) -> None:
        self._sqs = boto3.client("sqs")
        self._queue = self._sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
        found = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])
        events = boto3.client("events")
        events.put_rule(Name=QUEUE, EventBusName=bus, EventPattern=json.dumps({"source": ["upcall"]}))
        target: Any = {"Id": "queue", "Arn": found["Attributes"]["QueueArn"]}
        events.put_targets(Rule=QUEUE, EventBusName=bus, Targets=[target])
        self._heard: Counter[str] = Counter()
        self._news = threading.Condition()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True, name="ear")
        self._thread.start()

    def wait_for(self, run_id: str, seconds: float) -> bool:
        """Wait until the ending of a run has been announced, or so long. Whether it has."""
        with self._news:
            return self._news.wait_for(lambda: self._heard[run_id] > 0, seconds)

    def stop(self) -> Counter[str]:
        """Hear out what was announced before; how often the ending of each run was."""
        self._stopped.set()
        self._thread.join()
        return self._heard

    def _listen(self) -> None:
        """Until it is stopped and the queue is empty."""
        while self._take() or not self._stopped.is_set():
            pass

    def _take(self) -> bool:
        found = self._sqs.receive_message(QueueUrl=self._queue, WaitTimeSeconds=1, MaxNumberOfMessages=PART)
        messages = found.get("Messages", [])
        for each in messages:
            self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=each["ReceiptHandle"])
        with self._news:
            self._heard.update(json.loads(each["Body"])["detail"]["run_id"] for each in messages)
            self._news.notify_all()
        return bool(messages)
