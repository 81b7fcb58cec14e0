"""The door of what queues feed: what fails comes again, is logged, and is counted unless it is the weather."""

import json
from typing import Any

import pytest
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from support.log_capture import written
from support.sample_events import sample

from local.lambda_runtime import Context, function_environment
from upcall.domain.errors import TransientError
from upcall.lambda_runtime.sqs_batch import messages

CONTEXT = Context("f", 256, "arn:aws:lambda:us-east-1:123456789012:function:f", 0)


def handled(error: Exception | None) -> tuple[dict[str, Any], list[dict[str, Any]], str]:
    """The answer to a message that a function raises an error on, and the lines that were logged."""

    @messages
    def lambda_handler(_: SQSRecord) -> None:
        if error is not None:
            raise error

    (record,) = sample("close_run")["Records"]
    record["attributes"]["ApproximateReceiveCount"] = "3"
    with function_environment({"POWERTOOLS_METRICS_NAMESPACE": "Upcall/test"}), written() as lines:
        answer = lambda_handler({"Records": [record]}, CONTEXT)  # type: ignore[arg-type]
    return answer, lines.parsed, json.dumps(lines.parsed)


def test_a_message_that_is_done_with_is_done_with() -> None:
    answer, lines, _ = handled(None)

    assert answer == {"batchItemFailures": []}
    assert lines == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TransientError("hunter2"), ["message put back"]),
        (KeyError("hunter2"), ["message failed", "metrics"]),
    ],
)
def test_a_message_that_fails_comes_again_and_says_so_without_its_words(
    error: Exception, said: list[str]
) -> None:
    answer, lines, text = handled(error)

    assert len(answer["batchItemFailures"]) == 1
    assert [line["message"] for line in lines] == said
    assert lines[0]["error"] == type(error).__name__
    for line in lines:
        assert line["attempt"] == 3
        assert line["message_id"]
    assert "hunter2" not in text
