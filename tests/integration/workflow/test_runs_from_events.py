"""An event of each kind starts a run. Its final event reaches a queue through a rule on the bus."""

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from support.sample_events import sample_message

from local.stack import LocalStack
from upcall.aws.run_repository import DynamoDBRunRepository

TIMEOUT_SECONDS = 30


@pytest.fixture(scope="module")
def queue(local_stack: LocalStack) -> Iterator[str]:
    """The URL of a queue that is the target of a rule for all final events."""
    sqs, events, bus = boto3.client("sqs"), boto3.client("events"), local_stack.deployed.bus
    name = f"final-events-{uuid.uuid4()}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps({"source": ["upcall"]}))
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
    yield url
    events.remove_targets(Rule=name, EventBusName=bus, Ids=["queue"])
    events.delete_rule(Name=name, EventBusName=bus)


def wait_for_run(
    repository: DynamoDBRunRepository, queue: str, marker: str
) -> tuple[dict[str, Any], str | None]:
    """The final event of the run whose prompt contains the marker, and its message."""
    sqs = boto3.client("sqs")
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        found = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1, MaxNumberOfMessages=10)
        for each in found.get("Messages", []):
            event: dict[str, Any] = json.loads(each["Body"])
            run = repository.get_run(event["detail"]["run_id"])
            if marker in run.last_input:
                return event, repository.get_message(run)
    raise TimeoutError("the queue received no final event of the run")


def request_for(local_stack: LocalStack, kind: str) -> tuple[dict[str, Any], str]:
    """The sample message of that name for pages that exist, and the URL that marks its run."""
    marker = f"{local_stack.endpoints.pages}/tides?{uuid.uuid4()}"
    text = json.dumps({**sample_message(kind), **({} if kind == "request" else {"id": uuid.uuid4().hex})})
    text = text.replace("https://example.com", marker)
    return json.loads(text.replace("https://example.org", f"{local_stack.endpoints.pages}/bread")), marker


def assert_completed(event: dict[str, Any], text: str | None, *phrases: str) -> None:
    assert event["detail-type"] == "Run Completed"
    assert event["detail"]["status"] == "completed"
    assert event["detail"]["usage"]["total_tokens"] > 0
    for phrase in phrases:
        assert phrase in (text or "")


def test_an_event_on_the_bus(local_stack: LocalStack, repository: DynamoDBRunRepository, queue: str) -> None:
    request, marker = request_for(local_stack, "run_requested")
    entry = {
        "EventBusName": local_stack.deployed.bus,
        "Source": request["source"],
        "DetailType": request["detail-type"],
        "Detail": json.dumps(request["detail"]),
    }
    boto3.client("events").put_events(Entries=[entry])  # type: ignore[list-item]

    assert_completed(*wait_for_run(repository, queue, marker), "Why the tide comes twice a day")


def test_an_object_in_the_inbox(
    local_stack: LocalStack, repository: DynamoDBRunRepository, queue: str
) -> None:
    key = f"reports/a report {uuid.uuid4()}.txt"
    body = "The harbour was quiet. Nobody had seen the ship arrive. It lay there in the morning."
    boto3.client("s3").put_object(
        Bucket=local_stack.deployed.inbox, Key=key, Body=body, ContentType="text/plain"
    )

    assert_completed(*wait_for_run(repository, queue, key), key, "The harbour was quiet.")


def test_a_message_in_the_request_queue(
    local_stack: LocalStack, repository: DynamoDBRunRepository, queue: str
) -> None:
    request, marker = request_for(local_stack, "request")
    boto3.client("sqs").send_message(
        QueueUrl=local_stack.deployed.request_queue, MessageBody=json.dumps(request)
    )

    assert_completed(*wait_for_run(repository, queue, marker), "Why the tide comes twice a day")


def test_a_digest_of_several_urls(
    local_stack: LocalStack, repository: DynamoDBRunRepository, queue: str
) -> None:
    request, marker = request_for(local_stack, "digest_requested")
    boto3.client("sqs").send_message(
        QueueUrl=local_stack.deployed.request_queue, MessageBody=json.dumps(request)
    )

    assert_completed(
        *wait_for_run(repository, queue, marker), "Why the tide comes twice a day", "cold does to dough"
    )
