"""Messages in the queues that nobody should send: each is worked on, or becomes a dead letter with the reason."""

import json
import re
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.arbitrary_values import (
    DEPTH,
    broken,
    fuzzed,
    like,
    nested,
    texts,
    values,
    written,
)
from support.sample_events import message, sample

from local.stack import LocalStack
from upcall.aws.sqs import REASON_ATTRIBUTE

Give = Callable[[str, str], None]

SENDABLE = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")
"""What SQS takes; moto takes anything."""

KINDS = ("request", "run_requested", "object_created", "digest_requested")
ENDED = json.loads(sample("close_run")["Records"][0]["body"])
ANNOUNCED = json.loads(sample("call_back")["Records"][0]["body"])
DEEP = {"type": "json_schema", "json_schema": {"name": "n", "schema": nested(900)}}


@pytest.fixture(scope="module")
def give(handle: Callable[..., Any]) -> Iterator[Give]:
    """Give a message to a handler, with dead letters of this module's own; none may come again."""
    sqs = boto3.client("sqs")
    letters = sqs.create_queue(QueueName=f"letters-{uuid.uuid4()}")["QueueUrl"]

    def put(handler: str, body: str) -> None:
        (record,) = sample(handler)["Records"]
        event = {"Records": [{**record, "messageId": uuid.uuid4().hex, "body": body}]}
        event["Records"][0]["attributes"]["SentTimestamp"] = str(int(time.time() * 1000))
        assert handle(handler, event, DEAD_LETTER_QUEUE_URL=letters) == {"batchItemFailures": []}
        found = sqs.receive_message(QueueUrl=letters, MessageAttributeNames=["All"], WaitTimeSeconds=0)
        for letter in found.get("Messages", []):
            sqs.delete_message(QueueUrl=letters, ReceiptHandle=letter["ReceiptHandle"])
            assert SENDABLE.fullmatch(letter["MessageAttributes"][REASON_ATTRIBUTE]["StringValue"])

    yield put
    sqs.delete_queue(QueueUrl=letters)


def about_runs(kind: str) -> st.SearchStrategy[Any]:
    """What is like a sample, with ids of its own: a second message of one id would be the same run."""
    return like(message(kind)).map(lambda body: {**body, "id": uuid.uuid4().hex} if "id" in body else body)


@fuzzed
@given(st.sampled_from(KINDS).flatmap(about_runs) | values)
@example({"prompt": "Go.", "response_format": DEEP})
@example({"prompt": "Go.", "\x00": 1})
@example({"prompt": "Go.", "\ud800": 1})
@example({"prompt": "Go.", "x" * 2000: 1})
@example({"prompt": "Go.", "metadata": {str(number): 1 for number in range(1000)}})
@example(
    {
        "detail-type": "Object Created",
        "id": "e",
        "detail": {"bucket": {"name": "b" * 600}, "object": {"key": "k"}},
    }
)
@example({"detail-type": ["Run Requested"]})
def test_whatever_asks_for_a_run_starts_one_or_is_a_dead_letter(give: Give, body: Any) -> None:
    give("start_run_from_event", written(body))


@fuzzed
@given(broken | texts.filter(lambda text: text.isprintable()))
@example("[" * DEPTH + "]" * DEPTH)
def test_whatever_text_asks_for_a_run_is_a_dead_letter(give: Give, body: str) -> None:
    give("start_run_from_event", body)


@fuzzed
@given(like(ENDED) | values)
@example({"detail": {"name": "x" * 3000, "status": "FAILED"}})
@example({"detail": {"name": "\x00", "status": "FAILED"}})
def test_whatever_tells_of_an_end_closes_a_run_or_is_a_dead_letter(give: Give, body: Any) -> None:
    give("close_run", written(body))


@fuzzed
@given(broken | texts.filter(lambda text: text.isprintable()))
def test_whatever_text_tells_of_an_end_is_a_dead_letter(give: Give, body: str) -> None:
    give("close_run", body)


@fuzzed
@given(like(ANNOUNCED) | values)
@example({**ANNOUNCED, "detail": {**ANNOUNCED["detail"], "run_id": "x" * 3000}})
@example({**ANNOUNCED, "detail": {**ANNOUNCED["detail"], "run_id": ""}})
def test_whatever_announces_an_ending_is_posted_or_is_a_dead_letter(give: Give, body: Any) -> None:
    give("call_back", written(body))


@fuzzed
@given(broken | texts.filter(lambda text: text.isprintable()))
def test_whatever_text_announces_an_ending_is_a_dead_letter(give: Give, body: str) -> None:
    give("call_back", body)


@pytest.mark.parametrize("event", [None, [], "\ud800", {"detail": 1}])
def test_whatever_the_schedule_sends_the_sweeper_sweeps(
    laptop: LocalStack, handle: Callable[..., Any], event: Any
) -> None:
    swept = handle("sweep_runs", event, STATE_MACHINE_ARN=laptop.stack.state_machine)

    assert swept["open"] >= swept["resumed"] + swept["given_to_close"]
