"""Each kind of event, from its sample to a stored summary and to the event that says so."""

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from support.sample_events import message

from local.stack import LocalStack
from upcall.aws.dynamodb import Table
from upcall.aws.run_repository import DynamoDBRunRepository

PATIENCE_SECONDS = 30


@pytest.fixture(scope="module")
def announced(laptop: LocalStack) -> Iterator[str]:
    """A queue that hears what the bus announces."""
    sqs, events = boto3.client("sqs"), boto3.client("events")
    url = sqs.create_queue(QueueName=f"announced-{uuid.uuid4()}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = json.dumps({"source": ["upcall"]})
    events.put_rule(Name="announced", EventBusName=laptop.stack.bus, EventPattern=pattern)
    events.put_targets(Rule="announced", EventBusName=laptop.stack.bus, Targets=[{"Id": "q", "Arn": arn}])
    yield url
    events.remove_targets(Rule="announced", EventBusName=laptop.stack.bus, Ids=["q"])
    events.delete_rule(Name="announced", EventBusName=laptop.stack.bus)


def ended(laptop: LocalStack, announced: str, marker: str) -> tuple[dict[str, Any], str | None]:
    """The announcement of the run whose prompt holds the marker, and its message."""
    sqs = boto3.client("sqs")
    store = DynamoDBRunRepository(Table(laptop.stack.dynamodb, laptop.stack.table), 30)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = sqs.receive_message(QueueUrl=announced, WaitTimeSeconds=1, MaxNumberOfMessages=10)
        for each in found.get("Messages", []):
            event: dict[str, Any] = json.loads(each["Body"])
            run = store.get_run(event["detail"]["run_id"])
            if marker in run.asked:
                return event, store.get_message(run)
    raise AssertionError("nothing was announced")


def read_at(laptop: LocalStack, kind: str) -> tuple[dict[str, Any], str]:
    """The sample of that name, with addresses that are there, and what marks its run."""
    marker = f"{laptop.addresses.pages}/tides?{uuid.uuid4()}"
    text = json.dumps({**message(kind), **({} if kind == "request" else {"id": uuid.uuid4().hex})})
    text = text.replace("https://example.com", marker)
    return json.loads(text.replace("https://example.org", f"{laptop.addresses.pages}/bread")), marker


def check(event: dict[str, Any], text: str | None, *words: str) -> None:
    assert event["detail-type"] == "Run Completed"
    assert event["detail"]["status"] == "completed"
    assert event["detail"]["usage"]["total_tokens"] > 0
    for word in words:
        assert word in (text or "")


def test_an_event_on_the_bus_is_summarised(laptop: LocalStack, announced: str) -> None:
    asked, marker = read_at(laptop, "run_requested")
    entry = {"EventBusName": laptop.stack.bus, "Source": asked["source"], "DetailType": asked["detail-type"]}
    boto3.client("events").put_events(Entries=[{**entry, "Detail": json.dumps(asked["detail"])}])  # type: ignore[typeddict-item]

    check(*ended(laptop, announced, marker), "Why the tide comes twice a day")


def test_an_object_that_is_put_into_the_inbox_is_summarised(laptop: LocalStack, announced: str) -> None:
    key = f"reports/a report {uuid.uuid4()}.txt"
    body = "The harbour was quiet. Nobody had seen the ship arrive. It lay there in the morning."
    boto3.client("s3").put_object(Bucket=laptop.stack.inbox, Key=key, Body=body, ContentType="text/plain")

    check(*ended(laptop, announced, key), key, "The harbour was quiet.")


def test_a_message_in_the_queue_is_summarised(laptop: LocalStack, announced: str) -> None:
    asked, marker = read_at(laptop, "request")
    boto3.client("sqs").send_message(QueueUrl=laptop.stack.request_queue, MessageBody=json.dumps(asked))

    check(*ended(laptop, announced, marker), "Why the tide comes twice a day")


def test_a_digest_summarises_each_of_its_urls(laptop: LocalStack, announced: str) -> None:
    asked, marker = read_at(laptop, "digest_requested")
    boto3.client("sqs").send_message(QueueUrl=laptop.stack.request_queue, MessageBody=json.dumps(asked))

    check(*ended(laptop, announced, marker), "Why the tide comes twice a day", "cold does to dough")
