"""A queue that hears what the bus of a laptop cloud announces."""

import json
import time
import uuid
from typing import Any

import boto3

from local.stack import LocalStack

PATIENCE_SECONDS = 30


class EventListener:
    """Hears everything from its making to its end."""

    def __init__(self, laptop: LocalStack) -> None:
        self._sqs, self._events, self._bus = boto3.client("sqs"), boto3.client("events"), laptop.stack.bus
        self._name = f"hearing-{uuid.uuid4()}"
        self._queue = self._sqs.create_queue(QueueName=self._name)["QueueUrl"]
        found = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])
        pattern = json.dumps({"source": ["upcall"]})
        self._events.put_rule(Name=self._name, EventBusName=self._bus, EventPattern=pattern)
        target: Any = {"Id": "queue", "Arn": found["Attributes"]["QueueArn"]}
        self._events.put_targets(Rule=self._name, EventBusName=self._bus, Targets=[target])
        self._heard: list[dict[str, Any]] = []

    def about(self, run_id: str, *, all_there_are: bool = False) -> list[dict[str, Any]]:
        """The events about a run: as soon as there is one, or all that were put on the bus so far."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            heard = self._listen(0 if all_there_are else 1)
            found = [event for event in self._heard if event["detail"]["run_id"] == run_id]
            if (all_there_are and not heard) or (found and not all_there_are):
                return found
        raise TimeoutError(f"nothing was announced of {run_id}")

    def _listen(self, seconds: int) -> bool:
        found = self._sqs.receive_message(
            QueueUrl=self._queue, WaitTimeSeconds=seconds, MaxNumberOfMessages=10, VisibilityTimeout=600
        )
        messages = found.get("Messages", [])
        self._heard += [json.loads(each["Body"]) for each in messages]
        return bool(messages)

    def stop(self) -> None:
        """Hear no more."""
        self._events.remove_targets(Rule=self._name, EventBusName=self._bus, Ids=["queue"])
        self._events.delete_rule(Name=self._name, EventBusName=self._bus)
