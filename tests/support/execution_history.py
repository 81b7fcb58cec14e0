"""What the history of an execution says of its size."""

from typing import Any

import boto3

from local.stack import LocalStack
from upcall.aws.step_functions import execution_arn


def events(laptop: LocalStack, name: str) -> list[dict[str, Any]]:
    """All events of the execution of that name."""
    arn = execution_arn(laptop.addresses.state_machine, name)
    pages = boto3.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=arn)
    return [dict(event) for page in pages for event in page["events"]]


def largest_state(laptop: LocalStack, name: str) -> int:
    """Bytes of the largest input, output or argument that passed through a state, as UTF-8."""
    return max(
        len(value.encode())
        for event in events(laptop, name)
        for details in event.values()
        if isinstance(details, dict)
        for value in details.values()
        if isinstance(value, str)
    )
