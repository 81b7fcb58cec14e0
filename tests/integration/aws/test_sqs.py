import json
from typing import Any

import pytest

from handlers import close_run as handler
from upcall.aws import sqs
from upcall.aws.sqs import MAX_REASON_CHARACTERS, REASON_ATTRIBUTE
from upcall.domain.execution import Execution, ExecutionStatus


class Queue:
    """A queue on moto."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.url = client.create_queue(QueueName=name)["QueueUrl"]

    def receive(self) -> list[dict[str, Any]]:
        """The visible messages, which are invisible from now on."""
        received = self._client.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            VisibilityTimeout=60,
        )
        return list(received.get("Messages", []))


@pytest.fixture
def queue(aws_client: Any, unique_name: str, monkeypatch: pytest.MonkeyPatch) -> Queue:
    client = aws_client("sqs")
    monkeypatch.setattr(sqs, "_client", lambda: client)
    return Queue(client, unique_name)


@pytest.mark.parametrize("status", ["ABORTED", "FAILED", "TIMED_OUT", "SUCCEEDED"])
def test_an_ended_execution_is_enqueued_in_a_form_that_close_run_understands(
    queue: Queue, monkeypatch: pytest.MonkeyPatch, status: ExecutionStatus
) -> None:
    closed: list[Execution] = []
    monkeypatch.setenv("ENDED_EXECUTION_QUEUE_URL", queue.url)
    monkeypatch.setattr(handler, "run_repository", lambda: None)
    monkeypatch.setattr(handler, "batch_repository", lambda: None)
    monkeypatch.setattr(handler, "close_run", lambda execution, **_: closed.append(execution))
    execution = Execution(name="run_1-2", status=status, error="Lost", cause='{"a": "Grüße 😀"}')

    sqs.enqueue_ended_execution(execution)

    (message,) = queue.receive()
    record = {"messageId": "m", "body": message["Body"], "attributes": {"ApproximateReceiveCount": "1"}}
    result = handler.lambda_handler({"Records": [{**record, "eventSource": "aws:sqs"}]}, None)  # type: ignore[arg-type]
    assert result == {"batchItemFailures": []}
    assert closed == [execution]


@pytest.mark.parametrize(
    ("reason", "attribute"),
    [
        ("prompt: is required", "prompt: is required"),
        ("x" * 5000, "x" * MAX_REASON_CHARACTERS),
        ("", "unknown"),
        ("a\x00b\ud800c\ufffed\t😀", "a\ufffdb\ufffdc\ufffdd\t😀"),
    ],
    ids=["short", "too long", "empty", "characters that SQS rejects"],
)
def test_a_dead_letter_has_the_message_and_the_reason(queue: Queue, reason: str, attribute: str) -> None:
    sqs.send_to_dead_letter_queue(queue.url, '{"prompt": ""}', reason)

    (message,) = queue.receive()
    assert json.loads(message["Body"]) == {"prompt": ""}
    assert message["MessageAttributes"][REASON_ATTRIBUTE]["StringValue"] == attribute


def test_the_log_does_not_have_the_reason_which_may_quote_the_message(
    queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    sqs.send_to_dead_letter_queue(queue.url, "x", "a secret")

    (record,) = caplog.records
    assert record.message == "message sent to the dead-letter queue"
    assert "a secret" not in str(vars(record))


def test_a_delayed_message_is_delivered_again_after_its_delay(queue: Queue, aws_client: Any) -> None:
    sqs.send_to_dead_letter_queue(queue.url, "x", "reason")
    (message,) = queue.receive()
    assert queue.receive() == []

    sqs.delay_message(queue.url, message["ReceiptHandle"], 0)

    (again,) = queue.receive()
    assert again["MessageId"] == message["MessageId"]
