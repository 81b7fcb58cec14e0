"""The functions of the naive workflow, as one would write them: each sends one request."""

import json
import os
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
import httpx
from openai import OpenAI

if TYPE_CHECKING:
    from openai.types.responses import FunctionToolParam
    from openai.types.responses.response_input_param import FunctionCallOutput

TOOL: "FunctionToolParam" = {
    "type": "function",
    "name": "fetch",
    "parameters": {"type": "object", "properties": {"url": {"type": "string"}}, "required": ["url"]},
    "strict": False,
}


def start(event: Mapping[str, Any], _: object) -> dict[str, Any]:
    """POST /runs."""
    _client("stepfunctions").start_execution(
        stateMachineArn=event["state_machine"], name=event["run_id"], input=json.dumps(event)
    )
    return {"run_id": event["run_id"]}


def get(event: Mapping[str, Any], _: object) -> dict[str, Any]:
    """GET /runs/{run_id}."""
    key = {"run_id": {"S": event["run_id"]}}
    item = _client("dynamodb").get_item(TableName=event["table"], Key=key)["Item"]
    return {"message": item["message"]["S"]}


def create(event: Mapping[str, Any], _: object) -> dict[str, Any]:
    """Create a response."""
    response = _openai().responses.create(
        model=event["model"], input=event["prompt"], tools=[TOOL], background=True
    )
    return {"response_id": response.id}


def poll(event: Mapping[str, Any], _: object) -> dict[str, Any]:
    """The status of a response, its calls and its text."""
    response = _openai().responses.retrieve(event["response_id"])
    calls = [
        {"call_id": item.call_id, "url": json.loads(item.arguments)["url"]}
        for item in response.output
        if item.type == "function_call"
    ]
    return {"status": response.status, "calls": calls, "text": response.output_text}


def fetch(event: Mapping[str, Any], _: object) -> dict[str, Any]:
    """Call the function."""
    return {"call_id": event["call_id"], "output": httpx.get(event["url"]).text}


def submit(event: Mapping[str, Any], _: object) -> dict[str, Any]:
    """Send outputs."""
    outputs: list[FunctionCallOutput] = [
        {"type": "function_call_output", "call_id": each["call_id"], "output": each["output"]}
        for each in event["outputs"]
    ]
    response = _openai().responses.create(
        model=event["model"],
        previous_response_id=event["response_id"],
        input=[*outputs],
        tools=[TOOL],
        background=True,
    )
    return {"response_id": response.id}


@cache
def _openai() -> OpenAI:
    return OpenAI(api_key="none", base_url=os.environ["OPENAI_BASE_URL"])


@cache
def _client(service: str) -> Any:
    return boto3.client(service)  # type: ignore[call-overload]
