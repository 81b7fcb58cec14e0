"""Invalid messages to POST /webhooks/openai: none causes an internal error, and none changes a run.

The handler is called as API Gateway calls it. A task waits for a webhook about RESPONSE_ID meanwhile.
"""

import base64
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.arbitrary_values import edge_case_texts, fuzz_settings, similar_objects, texts, to_json, values
from support.fast_stack import WEBHOOK_SECRET_NAME
from support.run_records import WAITING_TASK, new_run
from support.sample_events import sample_event

from upcall.aws import step_functions
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.web.standard_webhooks import TOLERANCE_SECONDS, signature

Send = Callable[[str | bytes, dict[str, str]], int]
"""Sends a body with headers. Returns the status of the response."""

Sign = Callable[[bytes], dict[str, str]]
"""The headers of a body with a valid signature and an id of their own."""

RESPONSE_ID = "resp_that_a_task_waits_for"
ABOUT_THE_RUN = {"id": "evt_1", "type": "response.completed", "data": {"id": RESPONSE_ID}}
ABOUT_ANOTHER_RUN = {**ABOUT_THE_RUN, "data": {"id": "resp_of_nobody"}}
WRONG_SECRET = "whsec_YSBmb3JnZWQgc2VjcmV0IG9mIHNvbWVib2R5IGVsc2U="  # noqa: S105  # of nobody
REJECTED = (400, 401, 413)

bodies = (similar_objects(ABOUT_THE_RUN) | values).map(to_json) | edge_case_texts | st.binary(max_size=60)
signatures = st.lists(
    st.sampled_from(["v1,", "v1", "v1a,", "v2,c2lnbmF0dXJl", "v1,=", "v1,ä", "v1,a", ",", "V1,c2lnbmF0dXJl"])
    | st.binary(max_size=40).map(lambda each: f"v1,{base64.b64encode(each).decode()}")
    | texts,
    max_size=5,
).map(" ".join)


@pytest.fixture(scope="module")
def send(call_handler: Callable[..., Any]) -> Send:
    """Send a message to the handler. API Gateway encodes a body that is not text with base64."""

    def send_message(body: str | bytes, headers: dict[str, str]) -> int:
        event = sample_event("receive_webhook", headers=headers, body=body)
        if isinstance(body, bytes):
            event |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
        response = call_handler("receive_webhook", event)
        status = response["statusCode"]
        assert status in (200, *REJECTED), response
        assert status == 200 or json.loads(response["body"])["status"] == status
        return int(status)

    return send_message


@pytest.fixture(scope="module")
def secret(send: Send) -> str:
    """The secret that messages are signed with."""
    return boto3.client("secretsmanager").get_secret_value(SecretId=WEBHOOK_SECRET_NAME)["SecretString"]


@pytest.fixture(scope="module")
def sign(secret: str) -> Sign:
    """Sign a body."""
    return lambda body: headers_of(secret, body)


@pytest.fixture(scope="module", autouse=True)
def _unchanged_run(repository: DynamoDBRunRepository) -> Iterator[None]:
    """Let a task wait. No message completes it or changes its run."""
    run = repository.add_run(new_run())
    repository.add_waiting_task(RESPONSE_ID, WAITING_TASK.model_copy(update={"run_id": run.run_id}))
    completed: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step_functions, "complete_task", lambda token, _: completed.append(token))
        yield
    assert completed == []
    assert repository.get_run(run.run_id) == run


def headers_of(secret: str, body: bytes, *, age: int = 0, message_id: str | None = None) -> dict[str, str]:
    """The headers of a body that was signed `age` seconds ago. By default each has an id of its own."""
    message_id, timestamp = message_id or f"evt_{time.time_ns()}", str(int(time.time()) - age)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": signature(secret, message_id, timestamp, body),
    }


@fuzz_settings
@given(bodies, signatures)
def test_any_body_without_a_valid_signature_is_rejected(
    send: Send, sign: Sign, body: str | bytes, invalid: str
) -> None:
    assert send(body, {**sign(b""), "webhook-signature": invalid}) in REJECTED


@fuzz_settings
@given(signatures)
def test_a_message_about_the_run_without_a_valid_signature_is_rejected(
    send: Send, sign: Sign, invalid: str
) -> None:
    assert send(to_json(ABOUT_THE_RUN), {**sign(b""), "webhook-signature": invalid}) == 401


@fuzz_settings
@given(
    st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]) | texts, texts)
)
@example({})
@example({"webhook-id": "\ud800", "webhook-signature": "v1,\ud800"})
@example({"Webhook-Id": "evt_1", "webhook-id": "evt_2"})
@example({"webhook-timestamp": "９" * 10})
@example({"webhook-timestamp": "9" * 5000})
def test_a_message_with_any_other_headers_is_rejected(send: Send, headers: dict[str, str]) -> None:
    now = str(int(time.time()))
    for given_headers in (headers, {"webhook-id": "evt_1", "webhook-timestamp": now, **headers}):
        assert send(to_json(ABOUT_THE_RUN), given_headers) == 401


@fuzz_settings
@given(
    st.integers(min_value=TOLERANCE_SECONDS + 5, max_value=10**10)
    | st.integers(min_value=-(10**11), max_value=-TOLERANCE_SECONDS - 5)
)
def test_a_signed_message_of_another_time_is_rejected(send: Send, secret: str, age: int) -> None:
    body = to_json(ABOUT_THE_RUN).encode()

    assert send(body.decode(), headers_of(secret, body, age=age)) == 401


@pytest.mark.parametrize("size", [65_537, 200_000, 900_000, 6_000_000])
@pytest.mark.parametrize("encoded", [False, True])
def test_a_huge_body_is_rejected(send: Send, sign: Sign, size: int, encoded: bool) -> None:
    body = to_json(ABOUT_THE_RUN).encode().ljust(size)

    assert send(body if encoded else body.decode(), sign(body)) == 413


def test_a_body_that_was_changed_is_rejected(send: Send, sign: Sign) -> None:
    assert send(to_json(ABOUT_THE_RUN), sign(to_json(ABOUT_ANOTHER_RUN).encode())) == 401


@fuzz_settings
@given(similar_objects(ABOUT_ANOTHER_RUN) | values)
@example({**ABOUT_ANOTHER_RUN, "data": {"id": ""}})
@example({**ABOUT_ANOTHER_RUN, "data": {"id": "x" * 5000}})
@example({**ABOUT_ANOTHER_RUN, "data": {"id": "\ud800"}})
@example({**ABOUT_ANOTHER_RUN, "data": {"id": "\x00"}})
@example({**ABOUT_THE_RUN, "type": "response.created"})
@example({**ABOUT_THE_RUN, "data": RESPONSE_ID})
@example({**ABOUT_THE_RUN, "data": [{"id": RESPONSE_ID}]})
@example({**ABOUT_THE_RUN, "data": {"id": [RESPONSE_ID]}})
def test_signed_json_of_any_kind_changes_nothing(send: Send, sign: Sign, content: Any) -> None:
    text = to_json(content)

    assert send(text, sign(text.encode())) in (200, 400)


@fuzz_settings
@given(edge_case_texts | st.binary(max_size=60))
def test_a_signed_body_of_any_kind_changes_nothing(send: Send, sign: Sign, body: str | bytes) -> None:
    raw = body.encode() if isinstance(body, str) else body

    assert send(body, sign(raw)) in (200, *REJECTED)


@fuzz_settings
@given(st.text(st.characters(exclude_characters=".", codec="utf-8"), min_size=1, max_size=30))
@example("x" * 5000)
@example("\x00")
def test_a_signed_message_with_any_id_is_received_or_rejected(
    send: Send, secret: str, message_id: str
) -> None:
    body = to_json(ABOUT_ANOTHER_RUN).encode()

    assert send(body.decode(), headers_of(secret, body, message_id=message_id)) in (200, *REJECTED)


def test_one_valid_signature_among_others_is_enough(send: Send, secret: str) -> None:
    body = to_json(ABOUT_ANOTHER_RUN).encode()
    headers = headers_of(f"{WRONG_SECRET} {secret}", body)

    assert (
        send(body.decode(), {**headers, "webhook-signature": f"v1,= {headers['webhook-signature']} v2,x"})
        == 200
    )
