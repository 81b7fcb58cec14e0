"""`upcall trigger`."""

import json
import uuid
from typing import Annotated

import typer

from cli.errors import CommandError

SAMPLE_PAGES = ("tides", "lighthouses", "bread")


def trigger(
    target: Annotated[
        str,
        typer.Argument(
            help="schedule: request a digest of URLs. sweep: close or resume runs without an execution."
        ),
    ] = "schedule",
    urls: Annotated[
        list[str] | None, typer.Argument(help="The URLs to summarise.", show_default="the sample pages")
    ] = None,
) -> None:
    """Trigger a schedule on the running local stack now.

    `upcall local` runs the stack. On AWS, EventBridge triggers the schedules.
    """
    from cli.terminal.console import out

    if target == "schedule":
        result = f"sent to {_request_digest(urls or [])}"
    elif target == "sweep":
        result = _sweep_runs()
    else:
        raise CommandError(f"cannot trigger {target!r}; there is schedule, sweep")
    out.print(result, soft_wrap=True)


def _request_digest(urls: list[str]) -> str:
    """Request a digest of these URLs, or of the sample pages, and return the destination."""
    import boto3

    from cli.backends.local_stack import connect_to_running

    with connect_to_running() as stack:
        requested = urls or [f"{stack.endpoints.pages}/{name}" for name in SAMPLE_PAGES]
        message = {
            "detail-type": "Digest Requested",
            "id": str(uuid.uuid4()),
            "detail": {"urls": ", ".join(requested)},
        }
        queue = stack.endpoints.request_queue
        boto3.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(message))
        return f"the queue {queue.rpartition('/')[2]}"


def _sweep_runs() -> str:
    """Invoke the sweeper, and return its counts."""
    import boto3

    from cli.backends.local_stack import connect_to_running
    from local.config import STACK_NAME

    with connect_to_running():
        resource = boto3.client("cloudformation").describe_stack_resource(
            StackName=STACK_NAME, LogicalResourceId="SweepRunsFunction"
        )["StackResourceDetail"]
        response = boto3.client("lambda").invoke(FunctionName=resource["PhysicalResourceId"], Payload="{}")
        counts = json.loads(response["Payload"].read())
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items())
