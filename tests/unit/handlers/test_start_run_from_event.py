"""Messages of the request queue: each is a run, once, or a dead letter with the reason."""

import json
import uuid
from typing import Any

import boto3
import pytest
from support.sample_events import Invoke, message, sample

from handlers.start_run_from_event import lambda_handler
from local.lambda_runtime import Context, function_environment
from local.stack import LocalStack
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.aws.sqs import REASON_ATTRIBUTE
from upcall.use_cases.start_run_from_event import _read


def batch(*bodies: str) -> dict[str, Any]:
    """An event of SQS with these messages."""
    (record,) = sample("start_run_from_event")["Records"]
    return {"Records": [{**record, "messageId": uuid.uuid4().hex, "body": body} for body in bodies]}


def started(store: DynamoDBRunRepository, prompt: str) -> list[str]:
    """The runs with that prompt."""
    runs = (store.get_run(each.run_id) for each in store.index.recent())
    return [run.run_id for run in runs if run.prompt == prompt]


def buried(laptop: LocalStack, body: str) -> str | None:
    """The reason for which a message is among the dead letters."""
    sqs = boto3.client("sqs")
    for _ in range(20):
        found = sqs.receive_message(
            QueueUrl=laptop.stack.dead_letter_queue,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            VisibilityTimeout=1,
        )
        for each in found.get("Messages", []):
            if each["Body"] == body:
                return str(each["MessageAttributes"][REASON_ATTRIBUTE]["StringValue"])
    return None


def test_the_sample_starts_a_run(invoke: Invoke) -> None:
    assert invoke("StartRunFromEventFunction", sample("start_run_from_event")) == {"batchItemFailures": []}


def test_each_message_of_a_batch_starts_its_run(invoke: Invoke, store: DynamoDBRunRepository) -> None:
    prompts = [f"Say {uuid.uuid4()}." for _ in range(3)]

    invoke("StartRunFromEventFunction", batch(*(json.dumps({"prompt": prompt}) for prompt in prompts)))

    assert [len(started(store, prompt)) for prompt in prompts] == [1, 1, 1]


def test_the_same_message_twice_starts_one_run(invoke: Invoke, store: DynamoDBRunRepository) -> None:
    prompt = f"Say {uuid.uuid4()}."
    event = batch(json.dumps({"prompt": prompt}))
    for _ in range(2):
        invoke("StartRunFromEventFunction", event)

    assert len(started(store, prompt)) == 1


@pytest.mark.parametrize("kind", ["run_requested", "object_created", "digest_requested"])
def test_the_same_event_in_two_messages_starts_one_run(
    invoke: Invoke, store: DynamoDBRunRepository, kind: str
) -> None:
    event = {**message(kind), "id": uuid.uuid4().hex}
    if kind == "object_created":
        event["detail"]["object"]["sequencer"] = uuid.uuid4().hex
    text = json.dumps(event).replace("https://example.com", f"https://{uuid.uuid4()}.test")
    text = text.replace("a report", f"{uuid.uuid4()}")
    _, request = _read(text, "unused")

    invoke("StartRunFromEventFunction", batch(text, text))

    assert len(started(store, request.prompt or "")) == 1


UNREADABLE = {
    "": "body: is not JSON",
    "{": "body: is not JSON",
    "[" * 100_000: "body: is not JSON",
    "[]": "body: should be an object",
    "{}": "prompt: is required, or input",
    '{"prompt": 7}': "prompt: Input should be a valid string",
    '{"prompt": "x", "colour": "red"}': "colour: Extra inputs are not permitted",
    '{"prompt": "x", "assistant": "nobody"}': "assistant: there is no assistant 'nobody'",
    '{"detail-type": "Birthday"}': "detail-type: should be one of Run Requested, Object Created, Digest Requested",
    '{"detail-type": "Run Requested", "id": "1"}': "detail: Field required",
    '{"detail-type": "Run Requested", "id": "1", "detail": {"prompt": ""}}': "detail.prompt: ",
    '{"detail-type": "Run Requested", "detail": {"prompt": "x"}}': "id: Field required",
    '{"detail-type": "Object Created", "id": "1", "detail": {}}': "detail.bucket: Field required",
    '{"detail-type": "Digest Requested", "id": "1", "detail": {"urls": ""}}': "detail.urls: ",
}


@pytest.mark.parametrize(("body", "reason"), UNREADABLE.items(), ids=[*map(str, range(len(UNREADABLE)))])
def test_what_cannot_be_read_is_a_dead_letter_with_the_reason(
    invoke: Invoke, laptop: LocalStack, body: str, reason: str
) -> None:
    body = body or " "  # a queue takes no empty message
    assert invoke("StartRunFromEventFunction", batch(body)) == {"batchItemFailures": []}

    assert reason in (buried(laptop, body) or "nothing")


def test_what_fails_for_weather_comes_again_and_the_others_do_not(
    laptop: LocalStack, store: DynamoDBRunRepository
) -> None:
    """One message of three finds no workflow to start; the table is there for all."""
    prompts = [f"Say {uuid.uuid4()}." for _ in range(2)]
    event = batch(*(json.dumps({"prompt": prompt}) for prompt in prompts))
    environment = laptop.stack.functions["StartRunFromEventFunction"].environment
    gone = "arn:aws:states:us-east-1:123456789012:stateMachine:gone"
    with function_environment({**environment, "STATE_MACHINE_ARN": gone}):
        answer = lambda_handler(event, Context("f", 256, "arn", 10**9))  # type: ignore[arg-type]

    failed = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
    assert failed == {record["messageId"] for record in event["Records"]}

    with function_environment(environment):
        again = lambda_handler(event, Context("f", 256, "arn", 10**9))  # type: ignore[arg-type]
    assert again == {"batchItemFailures": []}
    assert [len(started(store, prompt)) for prompt in prompts] == [1, 1], (
        "the record of the first try is used"
    )
