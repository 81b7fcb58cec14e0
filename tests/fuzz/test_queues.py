"""Invalid messages in the queues: each is processed, or goes to the dead-letter queue with the reason."""

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
    edge_case_texts,
    fuzz_settings,
    nested_objects,
    similar_objects,
    texts,
    to_json,
    values,
)
from support.sample_events import sample_batch, sample_event, sample_message

from local.stack import LocalStack
from upcall.aws.sqs import REASON_ATTRIBUTE

Deliver = Callable[[str, str], None]
"""Delivers a message with that body to the handler of that name."""

VALID_IN_SQS = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")
"""The characters that SQS accepts. moto accepts any."""

MESSAGES = ("request", "run_requested", "object_created", "digest_requested")
ENDED_EXECUTION = json.loads(sample_event("close_run")["Records"][0]["body"])
FINAL_EVENT = json.loads(sample_event("deliver_callback")["Records"][0]["body"])
DEEP_SCHEMA = {"type": "json_schema", "json_schema": {"name": "n", "schema": nested_objects(900)}}

printable_texts = texts.filter(lambda text: text.isprintable())


@pytest.fixture(scope="module")
def deliver(call_handler: Callable[..., Any]) -> Iterator[Deliver]:
    """Deliver a message, and check that it does not go back to the queue. Dead letters have a queue of their own."""
    sqs = boto3.client("sqs")
    queue_url = sqs.create_queue(QueueName=f"dead-letters-{uuid.uuid4()}")["QueueUrl"]

    def deliver_message(handler: str, body: str) -> None:
        batch = sample_batch(handler, body, SentTimestamp=str(int(time.time() * 1000)))
        assert call_handler(handler, batch, DEAD_LETTER_QUEUE_URL=queue_url) == {"batchItemFailures": []}
        found = sqs.receive_message(QueueUrl=queue_url, MessageAttributeNames=["All"], WaitTimeSeconds=0)
        for message in found.get("Messages", []):
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
            assert VALID_IN_SQS.fullmatch(message["MessageAttributes"][REASON_ATTRIBUTE]["StringValue"])

    yield deliver_message
    sqs.delete_queue(QueueUrl=queue_url)


def similar_messages(name: str) -> st.SearchStrategy[Any]:
    """Messages similar to a sample. Each has an id of its own, because the same id would be the same run."""
    return similar_objects(sample_message(name)).map(
        lambda body: {**body, "id": uuid.uuid4().hex} if "id" in body else body
    )


@fuzz_settings
@given(st.sampled_from(MESSAGES).flatmap(similar_messages) | values)
@example({"prompt": "Go.", "response_format": DEEP_SCHEMA})
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
def test_any_json_starts_a_run_or_is_a_dead_letter(deliver: Deliver, body: Any) -> None:
    deliver("start_run_from_event", to_json(body))


@fuzz_settings
@given(edge_case_texts | printable_texts)
@example("[" * DEPTH + "]" * DEPTH)
def test_any_text_starts_a_run_or_is_a_dead_letter(deliver: Deliver, body: str) -> None:
    deliver("start_run_from_event", body)


@fuzz_settings
@given(similar_objects(ENDED_EXECUTION) | values)
@example({"detail": {"name": "x" * 3000, "status": "FAILED"}})
@example({"detail": {"name": "\x00", "status": "FAILED"}})
def test_any_json_closes_a_run_or_is_a_dead_letter(deliver: Deliver, body: Any) -> None:
    deliver("close_run", to_json(body))


@fuzz_settings
@given(edge_case_texts | printable_texts)
def test_any_text_closes_a_run_or_is_a_dead_letter(deliver: Deliver, body: str) -> None:
    deliver("close_run", body)


@fuzz_settings
@given(similar_objects(FINAL_EVENT) | values)
@example({**FINAL_EVENT, "detail": {**FINAL_EVENT["detail"], "run_id": "x" * 3000}})
@example({**FINAL_EVENT, "detail": {**FINAL_EVENT["detail"], "run_id": ""}})
def test_any_json_is_delivered_or_is_a_dead_letter(deliver: Deliver, body: Any) -> None:
    deliver("deliver_callback", to_json(body))
    deliver("export_trace", to_json(body))


@fuzz_settings
@given(edge_case_texts | printable_texts)
def test_any_text_is_delivered_or_is_a_dead_letter(deliver: Deliver, body: str) -> None:
    deliver("deliver_callback", body)
    deliver("export_trace", body)


@pytest.mark.parametrize("event", [None, [], "\ud800", {"detail": 1}])
def test_any_event_starts_a_sweep(
    local_stack: LocalStack, call_handler: Callable[..., Any], event: Any
) -> None:
    state_machine = local_stack.deployed.state_machine
    result = call_handler("sweep_runs", event, STATE_MACHINE_ARN=state_machine)

    assert result["open"] >= result["resumed"] + result["enqueued"]
    batch_machine = local_stack.deployed.batch_state_machine
    result = call_handler("sweep_batches", event, BATCH_STATE_MACHINE_ARN=batch_machine)
    assert result["open"] >= result["restarted"] + result["cancelled"]
