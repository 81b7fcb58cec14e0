import json
import uuid

import boto3
from support.sample_events import Invoke, sample_event
from support.waiting import wait_until

from local.stack import LocalStack
from upcall.aws.sqs import REASON_ATTRIBUTE


def test_a_message_that_asks_for_no_run_is_in_the_dead_letter_queue_with_the_reason(
    invoke: Invoke, local_stack: LocalStack
) -> None:
    sqs = boto3.client("sqs")
    (record,) = sample_event("start_run_from_event")["Records"]
    body = json.dumps({"prompt": "Go.", "colour": uuid.uuid4().hex})

    result = invoke("StartRunFromEventFunction", {"Records": [{**record, "body": body}]})

    def find_reason() -> str | None:
        """Other tests' messages are in the queue, too. They stay there."""
        received = sqs.receive_message(
            QueueUrl=local_stack.deployed.dead_letter_queue,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            VisibilityTimeout=1,
        )
        for message in received.get("Messages", []):
            if message["Body"] == body:
                return message["MessageAttributes"][REASON_ATTRIBUTE]["StringValue"]
        return None

    assert result == {"batchItemFailures": []}
    reason = wait_until(find_reason, "the arrival of the message")
    assert reason == "colour: Extra inputs are not permitted"
