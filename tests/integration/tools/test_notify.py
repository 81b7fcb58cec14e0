"""The function of the tool `notify` on the local stack, with a webhook on loopback."""

import base64
import json
import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from openai import OpenAI
from support.canned_server import CannedServer, canned_server
from support.function_changes import function_changes
from support.sample_events import Invoke, sample_event
from werkzeug.wrappers import Response

from local.stack import LocalStack
from upcall.tool import ToolEvent

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes ...").decode()


@pytest.fixture
def webhook(local_stack: LocalStack) -> Iterator[CannedServer]:
    """A webhook with a secret of its own, to which the function posts."""
    secret_name = f"test/{uuid.uuid4()}"
    boto3.client("secretsmanager").create_secret(Name=secret_name, SecretString=SECRET)
    with canned_server(Response(status=200)) as server:
        environment = {"WEBHOOK_URL": server.url, "WEBHOOK_SECRET_NAME": secret_name}
        with function_changes(local_stack, "NotifyFunction", environment=environment):
            yield server


def notify_event() -> dict[str, Any]:
    run_id = f"run_{uuid.uuid4().hex[:28]}"
    return sample_event("notify", run_id=run_id, arguments=json.dumps({"message": "The digest is ready."}))


def test_the_message_is_signed_and_names_its_run(invoke: Invoke, webhook: CannedServer) -> None:
    event = notify_event()
    output = invoke("NotifyFunction", event)

    assert (output["outcome"], output["output"]) == ("ok", "The message was sent.")
    (request,) = webhook.requests
    OpenAI(api_key="x").webhooks.verify_signature(request.body, dict(request.headers), secret=SECRET)
    assert request.json["data"] == {"message": "The digest is ready.", "run_id": event["run_id"]}
    assert request.headers["Webhook-Id"] == f"{event['run_id']}_{ToolEvent.model_validate(event).key}"


def test_a_repeated_call_sends_nothing_and_has_the_same_output(invoke: Invoke, webhook: CannedServer) -> None:
    event = notify_event()
    outputs = [invoke("NotifyFunction", event) for _ in range(3)]

    assert len(webhook.requests) == 1
    assert outputs[0] == outputs[1] == outputs[2]
