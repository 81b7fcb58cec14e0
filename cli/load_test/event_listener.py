"""Counts the final events of runs, through a queue of its own on the event bus."""

import json
import threading
import time
from collections import Counter
from typing import Any

import boto3

NAME = "upcall-bench-load"
"""Of the queue and of the rule that feeds it."""

MAX_MESSAGES = 10
"""SQS returns no more at once (AWS quota)."""

SHARE = 0.1
"""Of the time, which the listener may take from the tested stack: both are in one process."""

MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.03, 0.5


class EventListener:
    """Receives every event from now on. Expects boto3's environment to point at the local stack."""

    def __init__(self, bus: str) -> None:
        self._sqs = boto3.client("sqs")
        self._queue_url = self._sqs.create_queue(QueueName=NAME)["QueueUrl"]
        queue = self._sqs.get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=["QueueArn"])
        events = boto3.client("events")
        events.put_rule(Name=NAME, EventBusName=bus, EventPattern=json.dumps({"source": ["upcall"]}))
        target: Any = {"Id": "queue", "Arn": queue["Attributes"]["QueueArn"]}
        events.put_targets(Rule=NAME, EventBusName=bus, Targets=[target])
        self._events: Counter[str] = Counter()
        self._received = threading.Condition()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._receive_until_stopped, daemon=True, name=NAME)
        self._thread.start()

    def wait_for_event(self, run_id: str, seconds: float) -> bool:
        """Wait for the final event of a run, at most `seconds`. Returns whether it was received."""
        with self._received:
            return self._received.wait_for(lambda: self._events[run_id] > 0, seconds)

    def stop(self) -> Counter[str]:
        """Receive what is still in the queue, and return the number of final events of each run."""
        self._stopped.set()
        self._thread.join()
        return self._events

    def _receive_until_stopped(self) -> None:
        """Until it is stopped and the queue is empty. A pause follows each request: SHARE bounds it."""
        while True:
            start = time.monotonic()
            found = self._receive()
            if not found and self._stopped.is_set():
                return
            if found < MAX_MESSAGES:
                pause = (time.monotonic() - start) * (1 - SHARE) / SHARE
                self._stopped.wait(min(max(pause, MIN_PAUSE_SECONDS), MAX_PAUSE_SECONDS))

    def _receive(self) -> int:
        """Receive what has come, all at once. Returns the number of events."""
        response = self._sqs.receive_message(QueueUrl=self._queue_url, MaxNumberOfMessages=MAX_MESSAGES)
        messages = response.get("Messages", [])
        if not messages:
            return 0
        entries: Any = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
            for number, message in enumerate(messages)
        ]
        self._sqs.delete_message_batch(QueueUrl=self._queue_url, Entries=entries)
        with self._received:
            self._events.update(json.loads(message["Body"])["detail"]["run_id"] for message in messages)
            self._received.notify_all()
        return len(messages)
