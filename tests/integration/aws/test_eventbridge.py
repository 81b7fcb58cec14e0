import json
from collections.abc import Iterator
from typing import Any

import pytest
from support.fakes.clock import START
from support.run_records import FAILURE, new_run

from upcall.aws import eventbridge
from upcall.domain.errors import TransientError
from upcall.domain.events import RunEndedEvent
from upcall.domain.run import Run

ENDED_RUN = Run.model_validate(
    {**new_run().model_dump(), "status": "failed", "failure": FAILURE, "ended_at": START}
)


@pytest.fixture
def received_events(aws_client: Any, unique_name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Returns the events that a rule for all of Upcall's events has delivered to a queue."""
    events, sqs = aws_client("events"), aws_client("sqs")
    queue = sqs.create_queue(QueueName=unique_name)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    events.create_event_bus(Name=unique_name)
    pattern = json.dumps({"source": ["upcall"]})
    events.put_rule(Name=unique_name, EventBusName=unique_name, EventPattern=pattern)
    target = {"Id": "queue", "Arn": attributes["QueueArn"]}
    events.put_targets(Rule=unique_name, EventBusName=unique_name, Targets=[target])
    monkeypatch.setenv("BUS_NAME", unique_name)
    monkeypatch.setattr(eventbridge, "get_client", lambda: events)
    yield lambda: [
        json.loads(message["Body"])
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    ]
    events.remove_targets(Rule=unique_name, EventBusName=unique_name, Ids=["queue"])
    events.delete_rule(Name=unique_name, EventBusName=unique_name)
    events.delete_event_bus(Name=unique_name)


def test_an_event_is_published_to_the_bus_with_its_type_and_all_fields(received_events: Any) -> None:
    event = RunEndedEvent.of(ENDED_RUN)

    eventbridge.publish(event)

    (received,) = received_events()
    assert (received["source"], received["detail-type"]) == ("upcall", "Run Failed")
    assert RunEndedEvent.model_validate(received["detail"]) == event


def test_an_event_that_the_bus_does_not_accept_is_to_be_tried_again(
    received_events: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    response = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "x", "ErrorMessage": "Throttled."}]}
    monkeypatch.setattr(eventbridge.get_client(), "put_events", lambda **_: response)

    with pytest.raises(TransientError, match="the bus did not accept the event: Throttled"):
        eventbridge.publish(RunEndedEvent.of(ENDED_RUN))
    assert received_events() == []
