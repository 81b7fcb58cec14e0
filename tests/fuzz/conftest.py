"""Handlers that are called directly, with a workflow that ends at once."""

import json
import uuid
from collections.abc import Callable
from importlib import import_module
from typing import Any

import boto3
import pytest

from local.lambda_runtime import Context, function_environment
from local.stack import LocalStack

CallHandler = Callable[..., Any]
"""Calls a handler by its name with an event, and with changed environment variables."""

SendRequest = Callable[[str, dict[str, Any]], dict[str, Any]]
"""Sends an event to the handler of that name. Returns its response."""


@pytest.fixture(scope="module")
def call_handler(local_stack: LocalStack) -> CallHandler:
    """Call a handler as Lambda does. The runs that it starts end at once."""
    definition = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
    state_machine = boto3.client("stepfunctions").create_state_machine(
        name=f"fuzz-{uuid.uuid4()}",
        definition=json.dumps(definition),
        roleArn="arn:aws:iam::123456789012:role/fuzz",
    )["stateMachineArn"]
    functions = {each.handler: each for each in local_stack.deployed.functions.values()}

    def call(handler: str, event: Any, **variables: str) -> Any:
        function = functions[f"handlers.{handler}.lambda_handler"]
        context = Context(function.name, 256, f"arn:aws:lambda:us-east-1:1:function:{handler}", 0)
        environment = {**function.environment, "STATE_MACHINE_ARN": state_machine, **variables}
        with function_environment(environment):
            return import_module(f"handlers.{handler}").lambda_handler(event, context)

    return call


@pytest.fixture(scope="module")
def send(call_handler: CallHandler) -> SendRequest:
    """Send a request to a handler of the API. Runs that it accepts are recorded, and end at once."""

    def send_request(handler: str, event: dict[str, Any]) -> dict[str, Any]:
        response = call_handler(handler, event)
        assert isinstance(json.loads(json.dumps(response))["body"], str)
        return dict(response)

    return send_request


def assert_no_internal_error(response: dict[str, Any]) -> None:
    """Assert that a request was accepted or rejected, and that an error is a problem document."""
    status = response["statusCode"]
    assert status in (200, 202, 400, 404, 409, 413, 422), response
    document = json.loads(response["body"])
    if status >= 400:
        assert (document["status"], document["type"]) == (status, "about:blank")
        assert response["headers"]["Content-Type"] == "application/problem+json"
