"""A message to the webhook that the operator has set up, as the model's own function call."""

import base64
import json
import uuid
from typing import Any

import boto3
import pytest
from openai import OpenAI
from support.canned_server import canned
from support.sample_events import Invoke, sample
from werkzeug.wrappers import Response

from local.lambda_runtime import function_environment
from local.stack import LocalStack
from tools.notify import lambda_handler, notify

SECRET = "whsec_" + base64.b64encode(b"what only we two know").decode()


@pytest.fixture(scope="module")
def environment(laptop: LocalStack) -> dict[str, str]:
    """The function's environment, with a secret of its own."""
    name = f"test/{uuid.uuid4()}"
    boto3.client("secretsmanager").create_secret(Name=name, SecretString=SECRET)
    return {**laptop.stack.functions["NotifyFunction"].environment, "WEBHOOK_SECRET_NAME": name}


def call(message: str = "The digest is ready.") -> dict[str, Any]:
    return sample("notify", run_id=f"run_{uuid.uuid4().hex[:28]}", arguments=json.dumps({"message": message}))


def test_the_message_arrives_signed_and_says_which_run_it_is_from(environment: dict[str, str]) -> None:
    event = call()
    with canned(Response(status=200)) as up, function_environment({**environment, "WEBHOOK_URL": up.url}):
        output = lambda_handler(event)

    assert (output["outcome"], output["output"]) == ("ok", "The message was sent.")
    (asked,) = up.asked
    OpenAI(api_key="x").webhooks.verify_signature(asked.body, dict(asked.headers), secret=SECRET)
    assert asked.json["data"] == {"message": "The digest is ready.", "run_id": event["run_id"]}
    assert asked.headers["Webhook-Id"] == f"{event['run_id']}_call_1_1"


def test_the_same_call_is_sent_once(environment: dict[str, str]) -> None:
    event = call()
    with canned(Response(status=200)) as up, function_environment({**environment, "WEBHOOK_URL": up.url}):
        outputs = [lambda_handler(event) for _ in range(3)]

    assert len(up.asked) == 1
    assert outputs[0] == outputs[1] == outputs[2]


def test_without_a_webhook_the_model_learns_that_nobody_can_be_told(invoke: Invoke) -> None:
    output = invoke("NotifyFunction", call())

    assert output["outcome"] == "error"
    assert "no webhook is set up here" in output["output"]


def test_a_long_message_is_refused_before_it_is_sent(environment: dict[str, str]) -> None:
    with canned(Response(status=200)) as up, function_environment({**environment, "WEBHOOK_URL": up.url}):
        output = lambda_handler(call("x" * 2001))

    assert "message: String should have at most 2000 characters" in output["output"]
    assert up.asked == []


def test_the_function_can_be_called_by_itself(environment: dict[str, str]) -> None:
    with canned(Response(status=200)) as up, function_environment({**environment, "WEBHOOK_URL": up.url}):
        assert notify("Hello") == "The message was sent."

    assert up.asked[0].headers["Webhook-Id"].startswith("msg_")


def test_the_address_is_no_parameter() -> None:
    assert list(lambda_handler.definition.parameters["properties"]) == ["message"]
