"""Handlers as Lambda calls them, with a workflow that does nothing."""

import json
import uuid
from collections.abc import Callable
from importlib import import_module
from typing import Any

import boto3
import pytest

from local.lambda_runtime import Context, function_environment
from local.stack import LocalStack


@pytest.fixture(scope="module")
def handle(laptop: LocalStack) -> Callable[..., Any]:
    """Have a handler answer an event, with variables of its own. Runs that it starts end at once."""
    nothing = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
    idle = boto3.client("stepfunctions").create_state_machine(
        name=f"idle-{uuid.uuid4()}",
        definition=json.dumps(nothing),
        roleArn="arn:aws:iam::123456789012:role/idle",
    )["stateMachineArn"]
    by_handler = {each.handler: each for each in laptop.stack.functions.values()}

    def call(handler: str, event: Any, **variables: str) -> Any:
        function = by_handler[f"handlers.{handler}.lambda_handler"]
        context = Context(function.name, 256, f"arn:aws:lambda:us-east-1:1:function:{handler}", 0)
        with function_environment({**function.environment, "STATE_MACHINE_ARN": idle, **variables}):
            return import_module(f"handlers.{handler}").lambda_handler(event, context)

    return call
