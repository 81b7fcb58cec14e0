"""Callbacks: posted, signed, through the guard; put off for a day, then a dead letter."""

import base64
import json
import time
import uuid
from datetime import UTC, datetime

import boto3
import pytest
from openai import OpenAI
from support.canned_server import canned, json_answer
from support.sample_events import Invoke, sample
from werkzeug.wrappers import Response

from handlers.deliver_callback import lambda_handler
from local.config import CALLBACK_SECRET
from local.lambda_runtime import Context, function_environment
from local.stack import LocalStack
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.aws.sqs import REASON_ATTRIBUTE
from upcall.domain.events import RunEndedEvent
from upcall.domain.run import Run
from upcall.domain.upstream_run import Message
from upcall.use_cases.deliver_callback import (
    FIRST_DELAY_SECONDS,
    MAX_AGE_SECONDS,
    MAX_DELAY_SECONDS,
    pause_seconds,
)

CONTEXT = Context("call_back", 256, "arn:aws:lambda:us-east-1:123456789012:function:call_back", 0)


def ended(store: DynamoDBRunRepository, url: str | None) -> Run:
    run = Run.new(
        prompt="Go.",
        assistant="summarizer",
        model="m",
        run_api="responses",
        callback_url=url,
        metadata={"a": "b"},
        created_at=datetime.now(UTC),
    )
    store.add_run(run)
    return store.complete_run(run, Message(text="Done."), datetime.now(UTC))


class Queue:
    """A callback queue of a test's own, from which the function is fed by hand."""

    def __init__(self, laptop: LocalStack) -> None:
        self._sqs = boto3.client("sqs")
        self.url = self._sqs.create_queue(QueueName=f"callbacks-{uuid.uuid4()}")["QueueUrl"]
        environment = laptop.stack.functions["CallBackFunction"].environment
        self.environment = {**environment, "CALLBACK_QUEUE_URL": self.url}

    def put(self, run: Run) -> None:
        event = {"detail": RunEndedEvent.of(run, "Done.").model_dump(mode="json")}
        self._sqs.send_message(QueueUrl=self.url, MessageBody=json.dumps(event))

    def deliver(self, **attributes: str) -> bool:
        """Feed the function the next message, with some attributes changed. Whether it was done with it."""
        (message,) = self._sqs.receive_message(QueueUrl=self.url, AttributeNames=["All"])["Messages"]
        (record,) = sample("call_back")["Records"]
        told: dict[str, str] = dict(message["Attributes"])  # type: ignore[arg-type]
        record |= {"body": message["Body"], "receiptHandle": message["ReceiptHandle"]}
        record["attributes"] = told | attributes
        with function_environment(self.environment):
            answer = lambda_handler({"Records": [record]}, CONTEXT)  # type: ignore[arg-type]
        return not answer["batchItemFailures"]


@pytest.fixture
def queue(laptop: LocalStack) -> Queue:
    return Queue(laptop)


def buried(laptop: LocalStack, run_id: str) -> str:
    """The reason for which a run's callback is among the dead letters."""
    sqs, deadline = boto3.client("sqs"), time.monotonic() + 20
    while time.monotonic() < deadline:
        found = sqs.receive_message(
            QueueUrl=laptop.stack.physical["CallbackDeadLetterQueue"],
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            VisibilityTimeout=1,
        )
        for each in found.get("Messages", []):
            if run_id in each["Body"]:
                return str(each["MessageAttributes"][REASON_ATTRIBUTE]["StringValue"])
    raise TimeoutError(f"no dead letter of {run_id}")


def test_the_sample_is_about_a_run_that_is_gone(queue: Queue) -> None:
    with function_environment(queue.environment):
        assert lambda_handler(sample("call_back"), CONTEXT) == {"batchItemFailures": []}  # type: ignore[arg-type]


def test_the_ending_is_posted_and_signed(queue: Queue, store: DynamoDBRunRepository) -> None:
    with canned(Response(status=204)) as up:
        run = ended(store, f"{up.url}/hook?for=me")
        queue.put(run)
        assert queue.deliver()

    (asked,) = up.asked
    assert (asked.method, asked.path) == ("POST", "/hook?for=me")
    assert asked.headers["Webhook-Id"] == f"msg_{run.run_id}"
    OpenAI(api_key="x").webhooks.verify_signature(asked.body, dict(asked.headers), secret=CALLBACK_SECRET)
    assert asked.json["type"] == "run.completed"
    told = asked.json["data"]
    assert (told["run_id"], told["status"], told["metadata"]) == (run.run_id, "completed", {"a": "b"})
    assert (told["message_excerpt"], told["message_characters"]) == ("Done.", 5)


@pytest.mark.parametrize("status", [301, 404, 410, 500, 503])
def test_what_is_not_accepted_comes_again_later(
    queue: Queue, store: DynamoDBRunRepository, status: int
) -> None:
    with canned(json_answer({}, status)) as up:
        queue.put(ended(store, up.url))
        assert not queue.deliver()

    assert len(up.asked) == 1, "neither repeated at once nor redirected"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://169.254.169.254/latest/meta-data/", "169.254.169.254 is not a public address"),
        ("http://[::ffff:10.0.0.1]/", "::ffff:10.0.0.1 is not a public address"),
        ("http://example.com:22/", "port 22 is not allowed"),
        ("http://user:word@example.com/", "must not hold a user name"),
        ("http://127.0.0.1:1/", "no connection to 127.0.0.1"),
    ],
)
def test_after_a_day_it_is_a_dead_letter_with_the_reason(
    queue: Queue, laptop: LocalStack, store: DynamoDBRunRepository, url: str, reason: str
) -> None:
    """Loopback is allowed on a laptop, and nothing listens there."""
    run = ended(store, url)
    queue.put(run)
    assert not queue.deliver()
    queue.put(run)
    long_ago = str(round((time.time() - MAX_AGE_SECONDS - 60) * 1000))

    assert queue.deliver(SentTimestamp=long_ago)

    assert reason in buried(laptop, run.run_id)


def test_pauses_grow_up_to_two_hours_and_are_enough_for_a_day() -> None:
    pauses = [pause_seconds(tries) for tries in range(1, 101)]

    assert pauses[0] <= FIRST_DELAY_SECONDS
    assert max(pauses) <= MAX_DELAY_SECONDS
    assert sum(pauses) > MAX_AGE_SECONDS, "the queue gives up after 100 receptions"


def test_a_stack_without_a_secret_for_callbacks_takes_none(laptop: LocalStack) -> None:
    from handlers.start_run import lambda_handler as start_run

    environment = {**laptop.stack.functions["StartRunFunction"].environment, "CALLBACK_SECRET_NAME": ""}
    event = sample("start_run", body=json.dumps({"prompt": "Go.", "callback_url": "https://example.com/"}))
    with function_environment(environment):
        answer = start_run(event, CONTEXT)  # type: ignore[arg-type]

    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["errors"] == [
        {"field": "callback_url", "reason": "callbacks are not set up here"}
    ]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://169.254.169.254/latest/", "169.254.169.254 is not a public address"),
        ("https://[::ffff:10.0.0.1]/", "::ffff:10.0.0.1 is not a public address"),
        ("https://example.com:8443/", "port 8443 is not allowed, only 80 and 443 are"),
        ("https://ann:secret@example.com/", "a URL must not hold a user name or a password"),
        ("https://example.com:99999/", "this is not a URL: Port out of range 0-65535"),
        ("https://[::1/", "this is not a URL: Invalid IPv6 URL"),
        ("https://:443/", "the URL names no host"),
        ("https://example.com:0/", "the URL names no host"),
    ],
)
def test_a_callback_that_could_never_be_posted_is_refused_at_once(
    invoke: Invoke, url: str, reason: str
) -> None:
    answer = invoke(
        "StartRunFunction", sample("start_run", body=json.dumps({"prompt": "Go.", "callback_url": url}))
    )

    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["errors"] == [{"field": "callback_url", "reason": reason}]


def test_the_laptops_secret_is_one_of_the_standards() -> None:
    assert len(base64.b64decode(CALLBACK_SECRET.removeprefix("whsec_"))) >= 24
