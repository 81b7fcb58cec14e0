"""Callbacks over real HTTP, through the guarded transport, from and to real queues."""

import base64
import json
import time
import uuid
from dataclasses import replace
from typing import Any

import boto3
import pytest
from openai import OpenAI
from support.canned_server import canned_server, json_response
from support.run_records import FAILURE, USAGE, new_run
from support.sample_events import sample_event
from werkzeug.wrappers import Response

from local.config import CALLBACK_SECRET, CALLBACK_SECRET_NAME
from local.lambda_runtime import FunctionRunner
from local.stack import LocalStack
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.aws.sqs import REASON_ATTRIBUTE
from upcall.domain.events import RunEndedEvent
from upcall.domain.redelivery import MAX_AGE_SECONDS
from upcall.domain.run import Run
from upcall.domain.upstream_run import Message

FUNCTION = "DeliverCallbackFunction"


class CallbackQueue:
    """A callback queue and its dead-letter queue, from which a test invokes the function itself."""

    def __init__(self, local_stack: LocalStack, secret_name: str = CALLBACK_SECRET_NAME) -> None:
        self._sqs = boto3.client("sqs")
        self._queue, self._dead_letter_queue = (
            self._sqs.create_queue(QueueName=f"callbacks-{uuid.uuid4()}")["QueueUrl"] for _ in range(2)
        )
        function = local_stack.deployed.functions[FUNCTION]
        queues = {
            "CALLBACK_SECRET_NAME": secret_name,
            "CALLBACK_QUEUE_URL": self._queue,
            "CALLBACK_DEAD_LETTER_QUEUE_URL": self._dead_letter_queue,
        }
        environment = {**function.environment, **queues}
        self._runner = FunctionRunner({FUNCTION: replace(function, environment=environment)})

    def send(self, run: Run, **forged: Any) -> None:
        """Enqueue the final event of a run, with some fields changed."""
        event = {"detail": {**RunEndedEvent.of(run, "Done.").model_dump(mode="json"), **forged}}
        self._sqs.send_message(QueueUrl=self._queue, MessageBody=json.dumps(event))

    def deliver(self, **attributes: str) -> dict[str, Any]:
        """What the function returns for the next message, some of whose attributes may be changed."""
        (message,) = self._sqs.receive_message(QueueUrl=self._queue, AttributeNames=["All"])["Messages"]
        (record,) = sample_event("deliver_callback")["Records"]
        record |= {"body": message["Body"], "receiptHandle": message["ReceiptHandle"]}
        received: dict[str, str] = dict(message["Attributes"])  # type: ignore[arg-type]
        record["attributes"] = received | attributes
        result = self._runner.invoke(FUNCTION, json.dumps({"Records": [record]}))
        parsed: dict[str, Any] = json.loads(result.payload)
        return parsed

    def next_dead_letter(self) -> tuple[str, str]:
        """The body of the message in the dead-letter queue, and its reason."""
        received = self._sqs.receive_message(QueueUrl=self._dead_letter_queue, MessageAttributeNames=["All"])
        (message,) = received["Messages"]
        return message["Body"], message["MessageAttributes"][REASON_ATTRIBUTE]["StringValue"]

    def is_next_message_visible(self) -> bool:
        """Whether a message could be received now."""
        return "Messages" in self._sqs.receive_message(QueueUrl=self._queue)


@pytest.fixture
def callback_queue(local_stack: LocalStack) -> CallbackQueue:
    return CallbackQueue(local_stack)


def complete_run(repository: DynamoDBRunRepository, callback_url: str) -> Run:
    run = repository.add_run(new_run(callback_url=callback_url, metadata={"a": "b"}))
    return repository.complete_run(run, Message(text="Done."), run.created_at)


def is_returned_to_the_queue(result: dict[str, Any]) -> bool:
    return len(result["batchItemFailures"]) == 1


def test_the_final_event_is_posted_and_signed(
    callback_queue: CallbackQueue, repository: DynamoDBRunRepository
) -> None:
    with canned_server(Response(status=204)) as server:
        run = complete_run(repository, f"{server.url}/hook?for=me")
        callback_queue.send(run)
        assert callback_queue.deliver() == {"batchItemFailures": []}

    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/hook?for=me")
    assert request.headers["Webhook-Id"] == f"msg_{run.run_id}"
    OpenAI(api_key="x").webhooks.verify_signature(request.body, dict(request.headers), secret=CALLBACK_SECRET)
    assert request.json["type"] == "run.completed"
    data = request.json["data"]
    assert (data["run_id"], data["status"], data["metadata"]) == (run.run_id, "completed", {"a": "b"})
    assert (data["message_excerpt"], data["message_characters"]) == ("Done.", 5)


def test_a_forged_event_has_the_recorded_end_posted_to_the_recorded_url(
    callback_queue: CallbackQueue, repository: DynamoDBRunRepository
) -> None:
    with canned_server(Response(status=204)) as server, canned_server(Response(status=204)) as mallory:
        run = complete_run(repository, server.url)
        callback_queue.send(
            run, status="failed", message_excerpt="Pay mallory.", owner="mallory", callback_url=mallory.url
        )
        assert callback_queue.deliver() == {"batchItemFailures": []}

    (request,) = server.requests
    assert request.json["type"] == "run.completed"
    assert request.json["data"]["message_excerpt"] == "Done."
    assert "mallory" not in request.body.decode()
    assert mallory.requests == []


def test_a_forged_end_of_an_open_run_is_not_posted(
    callback_queue: CallbackQueue, repository: DynamoDBRunRepository
) -> None:
    with canned_server(Response(status=204)) as server:
        run = repository.add_run(new_run(callback_url=server.url))
        ended = {"status": "completed", "ended_at": run.created_at}
        callback_queue.send(run.model_copy(update=ended))
        assert callback_queue.deliver() == {"batchItemFailures": []}

    assert server.requests == []


def test_a_second_attempt_is_posted_with_a_webhook_id_of_its_own(
    callback_queue: CallbackQueue, repository: DynamoDBRunRepository
) -> None:
    """Receivers drop a message whose id they know."""
    with canned_server(Response(status=204)) as server:
        run = repository.add_run(new_run(callback_url=server.url))
        failed = repository.record_failure(run, FAILURE, USAGE, run.created_at)
        callback_queue.send(failed)
        callback_queue.deliver()
        reopened = repository.reopen_run(failed, None)
        callback_queue.send(repository.complete_run(reopened, Message(text="Done."), run.created_at))
        callback_queue.deliver()

    assert [(request.headers["Webhook-Id"], request.json["type"]) for request in server.requests] == [
        (f"msg_{run.run_id}", "run.failed"),
        (f"msg_{run.run_id}-2", "run.completed"),
    ]


@pytest.mark.parametrize("status", [301, 404, 410, 500, 503])
def test_a_callback_that_is_not_accepted_is_posted_again_later(
    callback_queue: CallbackQueue, repository: DynamoDBRunRepository, status: int
) -> None:
    with canned_server(json_response({}, status)) as server:
        callback_queue.send(complete_run(repository, server.url))
        assert is_returned_to_the_queue(callback_queue.deliver())

    assert len(server.requests) == 1, "it is neither repeated at once nor redirected"
    assert not callback_queue.is_next_message_visible()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://169.254.169.254/latest/meta-data/", "169.254.169.254 is not a public address"),
        ("http://[::ffff:10.0.0.1]/", "::ffff:10.0.0.1 is not a public address"),
        ("http://example.com:22/", "port 22 is not allowed"),
        ("http://user:word@example.com/", "must not contain a user name"),
        ("http://127.0.0.1:1/", "no connection to 127.0.0.1"),
    ],
)
def test_after_a_day_a_callback_goes_to_the_dead_letter_queue_with_the_reason(
    callback_queue: CallbackQueue, repository: DynamoDBRunRepository, url: str, reason: str
) -> None:
    """A local stack may post to loopback. Nothing listens on port 1."""
    run = complete_run(repository, url)
    callback_queue.send(run)
    assert is_returned_to_the_queue(callback_queue.deliver())
    callback_queue.send(run)
    sent_at = str(round((time.time() - MAX_AGE_SECONDS - 60) * 1000))

    assert callback_queue.deliver(SentTimestamp=sent_at) == {"batchItemFailures": []}

    body, reason_given = callback_queue.next_dead_letter()
    assert run.run_id in body
    assert reason in reason_given


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ("\ufeff\n", "is empty"),
        ("whsec_", "is empty"),
        ("my password!", "must be base64"),
        ("whsec_c2hvcnQ=", "has 5 bytes; Standard Webhooks requires 24 to 64"),
    ],
)
def test_a_callback_that_cannot_be_signed_goes_to_the_dead_letter_queue_with_the_reason(
    local_stack: LocalStack, repository: DynamoDBRunRepository, secret: str, reason: str
) -> None:
    name = f"callback-secret-{uuid.uuid4()}"
    boto3.client("secretsmanager").create_secret(Name=name, SecretString=secret)
    callback_queue = CallbackQueue(local_stack, name)
    with canned_server(Response(status=204)) as server:
        run = complete_run(repository, server.url)
        callback_queue.send(run)

        assert callback_queue.deliver() == {"batchItemFailures": []}

    assert server.requests == []
    body, reason_given = callback_queue.next_dead_letter()
    assert run.run_id in body
    assert reason in reason_given
    assert f"Correct the secret {name} (parameter CallbackSecretName), then redrive" in reason_given
    assert "password" not in reason_given


def test_the_secret_of_the_local_stack_is_as_long_as_the_standard_demands() -> None:
    """https://github.com/standard-webhooks/standard-webhooks: between 24 and 64 bytes."""
    assert 24 <= len(base64.b64decode(CALLBACK_SECRET.removeprefix("whsec_"))) <= 64
