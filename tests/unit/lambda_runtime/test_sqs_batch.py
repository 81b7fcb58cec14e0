"""Messages that fail return to the queue, are logged, and are counted unless the error is transient."""

import json
from typing import Any

import pytest
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from support.log_capture import capture_logs
from support.sample_events import sample_event

from upcall.domain.errors import TransientError
from upcall.lambda_runtime.sqs_batch import sqs_batch


@pytest.fixture(autouse=True)
def _in_a_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Upcall/test")


def handle(error: Exception | None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The response to a message whose handling raises an error, and the lines that were logged."""

    @sqs_batch
    def lambda_handler(_: SQSRecord) -> None:
        if error is not None:
            raise error

    (record,) = sample_event("close_run")["Records"]
    record["attributes"]["ApproximateReceiveCount"] = "3"
    with capture_logs() as lines:
        response = lambda_handler({"Records": [record]}, LambdaContext())
    return response, lines.parsed


def test_a_message_that_was_handled_leaves_the_queue() -> None:
    assert handle(None) == ({"batchItemFailures": []}, [])


@pytest.mark.parametrize(
    ("error", "messages"),
    [
        (TransientError("hunter2"), ["message returned to the queue"]),
        (KeyError("hunter2"), ["message failed", "metrics"]),
    ],
)
def test_a_message_that_failed_returns_to_the_queue_and_is_logged_without_the_errors_text(
    error: Exception, messages: list[str]
) -> None:
    response, lines = handle(error)

    assert len(response["batchItemFailures"]) == 1
    assert [line["message"] for line in lines] == messages
    assert lines[0]["error"] == type(error).__name__
    for line in lines:
        assert line["attempt"] == 3
        assert line["message_id"]
    assert "hunter2" not in json.dumps(lines)
