"""The tool `notify`, without a webhook and with one that needs no network."""

import json
from typing import Any

import pytest
from support.sample_events import sample_event

from tools.notify import lambda_handler, notify
from upcall.tool import ToolEvent
from upcall.web.standard_webhooks import check_secret

SentMessages = list[tuple[str, str, str, dict[str, Any]]]
"""URL, secret, id and content of each message."""


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> SentMessages:
    """The messages that were posted. The webhook is configured, and calls are not recorded in a table."""
    sent: SentMessages = []
    monkeypatch.setattr("upcall.web.standard_webhooks.post", lambda *message: sent.append(message))
    monkeypatch.setattr("upcall.aws.secrets_manager.get_secret", lambda name: f"secret of {name}")
    monkeypatch.setattr("upcall.tool.handler.call_at_most_once", lambda run_id, key, call: call())
    monkeypatch.setenv("WEBHOOK_URL", "https://example.com/hook")
    monkeypatch.setenv("WEBHOOK_SECRET_NAME", "webhook")
    monkeypatch.setenv("WEBHOOK_FORMAT", "standard")
    return sent


def notify_event(message: str = "The digest is ready.") -> dict[str, Any]:
    return sample_event("notify", arguments=json.dumps({"message": message}))


def test_the_message_names_its_run(sent: SentMessages) -> None:
    event = notify_event()
    output = lambda_handler(event)

    assert (output["outcome"], output["output"]) == ("ok", "The message was sent.")
    ((url, secret, message_id, content),) = sent
    assert (url, secret) == ("https://example.com/hook", "secret of webhook")
    assert message_id == f"{event['run_id']}_{ToolEvent.model_validate(event).key}"
    assert content["data"] == {"message": "The digest is ready.", "run_id": event["run_id"]}


def test_messages_of_different_rounds_have_different_ids(sent: SentMessages) -> None:
    for number in (1, 2):
        lambda_handler({**notify_event(), "round": number})

    first, second = (message_id for _, _, message_id, _ in sent)
    assert first != second


def test_without_a_webhook_the_model_learns_that_nobody_can_be_notified(
    sent: SentMessages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_URL", "")
    output = lambda_handler(notify_event())

    assert output["outcome"] == "error"
    assert "no webhook is configured" in output["output"]
    assert sent == []


@pytest.mark.parametrize("secret", ["", "whsec_c2hvcnQ=", "no base64!"])
def test_a_secret_that_cannot_sign_is_an_error_that_names_the_parameter(
    monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    def post(url: str, secret: str, *_: object) -> None:
        check_secret(secret)

    monkeypatch.setattr("upcall.web.standard_webhooks.post", post)
    monkeypatch.setattr("upcall.aws.secrets_manager.get_secret", lambda _: secret)
    output = lambda_handler(notify_event())

    assert output["outcome"] == "error"
    assert "nothing was sent: the webhook secret" in output["output"]
    assert "correct the secret webhook (parameter WebhookSecretName)" in output["output"]


def test_a_message_that_is_too_long_is_not_sent(sent: SentMessages) -> None:
    output = lambda_handler(notify_event("x" * 2001))

    assert "message: String should have at most 2000 characters" in output["output"]
    assert sent == []


def test_the_function_can_be_called_outside_of_a_run(sent: SentMessages) -> None:
    assert notify("Hello") == "The message was sent."

    ((_, _, message_id, content),) = sent
    assert message_id.startswith("msg_")
    assert content["data"] == {"message": "Hello", "run_id": None}


def test_the_webhooks_url_is_not_a_parameter() -> None:
    assert list(lambda_handler.definition.parameters["properties"]) == ["message"]
