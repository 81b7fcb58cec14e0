"""POST /webhooks/openai: only a message with a valid signature is taken up."""

import base64
import json
import time
from typing import Any

import pytest
from support.run_records import UPSTREAM_RUN
from support.sample_events import sample_event
from support.wired_handlers import WiredHandlers

from upcall.domain.errors import TransientError
from upcall.domain.limits import Counters, Limits
from upcall.domain.waiting_task import WaitingTask
from upcall.observability import metrics
from upcall.web.standard_webhooks import signature_headers

SECRET = "whsec_dGhlIHNlY3JldCBvZiBhIHdlYmhvb2sgb2YgYSB0ZXN0"  # noqa: S105  # of a test
BODY = sample_event("receive_webhook")["body"]


@pytest.fixture
def webhooks(handlers: WiredHandlers, monkeypatch: pytest.MonkeyPatch) -> WiredHandlers:
    """Handlers with the secret, and a task that waits for the response of the sample."""
    monkeypatch.setenv("OPENAI_WEBHOOK_SECRET_NAME", "openai-webhook")
    monkeypatch.setattr("handlers.receive_webhook.get_secret", lambda _: SECRET)
    task = WaitingTask(
        run_id="run_1",
        task_token="token",  # noqa: S106  # of a test
        upstream_run=UPSTREAM_RUN,
        limits=Limits(),
        counters=Counters(),
        since=handlers.clock.now(),
    )
    handlers.repository.add_waiting_task(json.loads(BODY)["data"]["id"], task)
    return handlers


@pytest.fixture
def rejected(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """An element for each rejected message that was counted."""
    counted: list[bool] = []
    monkeypatch.setattr(metrics, "record_rejected_webhook", lambda: counted.append(True))
    return counted


def post(
    webhooks: WiredHandlers, body: str = BODY, secret: str = SECRET, *, encoded: bool = False, **headers: str
) -> tuple[int, dict[str, Any]]:
    """The response to a message that was signed with this secret."""
    event = sample_event("receive_webhook")
    event["headers"] |= signature_headers(secret, "evt_1", body.encode()) | headers
    event["body"] = base64.b64encode(body.encode()).decode() if encoded else body
    event["isBase64Encoded"] = encoded
    response = webhooks.invoke("receive_webhook", event)
    return response["statusCode"], json.loads(response["body"])


@pytest.mark.parametrize("encoded", [False, True])
def test_a_signed_message_completes_the_task(webhooks: WiredHandlers, encoded: bool) -> None:
    assert post(webhooks, encoded=encoded) == (200, {"status": "received"})
    assert webhooks.workflow.outputs["token"]["status"] == "completed"


def test_a_message_by_either_of_two_secrets_is_taken_up(
    webhooks: WiredHandlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "whsec_dGhlIG5leHQgc2VjcmV0IG9mIGEgd2ViaG9vayBvZiBhIHRlc3Q="
    monkeypatch.setattr("handlers.receive_webhook.get_secret", lambda _: f"{other} {SECRET}")

    assert post(webhooks)[0] == post(webhooks, secret=other)[0] == 200


@pytest.mark.parametrize(
    "forged",
    [
        {"secret": "whsec_YSBmb3JnZWQgc2VjcmV0IG9mIHNvbWVib2R5IGVsc2U="},
        {"webhook-timestamp": str(int(time.time()) - 301)},
        {"webhook-id": "evt_2"},
        {"webhook-signature": "v1,"},
        {"webhook-signature": ""},
    ],
    ids=["another secret", "too old", "another id", "no signature", "empty header"],
)
def test_a_forged_message_is_refused_and_counted(
    webhooks: WiredHandlers, rejected: list[bool], forged: dict[str, Any]
) -> None:
    status, problem = post(webhooks, **forged)

    assert (status, problem["title"]) == (401, "Unauthorized")
    assert rejected == [True]
    assert webhooks.workflow.outputs == {}
    assert webhooks.run_api.polled == []


def test_a_message_of_more_than_64_kb_is_refused_before_its_signature_is_checked(
    webhooks: WiredHandlers, rejected: list[bool]
) -> None:
    assert post(webhooks, " " * 65_537)[0] == 413
    assert rejected == []


def test_a_signed_message_that_is_no_event_names_the_field(webhooks: WiredHandlers) -> None:
    status, problem = post(webhooks, '{"type": "response.completed", "data": {}}')

    assert status == 400
    assert problem["errors"] == [{"field": "data.id", "reason": "Field required"}]


def test_an_event_of_another_type_is_received_and_ignored(webhooks: WiredHandlers) -> None:
    assert post(webhooks, '{"type": "batch.completed", "data": {"id": "batch_1"}}')[0] == 200
    assert webhooks.run_api.polled == []


def test_a_message_that_comes_again_is_received_and_does_nothing(webhooks: WiredHandlers) -> None:
    assert [post(webhooks)[0] for _ in range(2)] == [200, 200]
    assert len(webhooks.run_api.polled) == 1


def test_a_task_that_cannot_be_completed_now_has_the_message_sent_again(
    webhooks: WiredHandlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*_: object) -> bool:
        raise TransientError("SendTaskSuccess: ThrottlingException")

    with monkeypatch.context() as patch:
        patch.setattr(webhooks.workflow, "complete_task", unavailable)
        assert post(webhooks)[0] == 503

    assert post(webhooks)[0] == 200
    assert list(webhooks.workflow.outputs) == ["token"]


def test_a_body_that_is_not_the_base64_that_it_should_be_is_refused(webhooks: WiredHandlers) -> None:
    event = sample_event("receive_webhook", body="no base64", isBase64Encoded=True)

    assert webhooks.invoke("receive_webhook", event)["statusCode"] == 400
    assert webhooks.run_api.polled == []


def test_the_sample_is_not_signed_and_therefore_refused(
    webhooks: WiredHandlers, rejected: list[bool]
) -> None:
    assert webhooks.invoke("receive_webhook", sample_event("receive_webhook"))["statusCode"] == 401
    assert rejected == [True]
