"""`upcall trigger`."""

import json
import uuid
from collections.abc import Iterator
from typing import Annotated

import typer

from cli.errors import CommandError

SAMPLE_PAGES = ("tides", "lighthouses", "bread")


def trigger(
    target: Annotated[
        str,
        typer.Argument(
            help="schedule: request a digest of URLs. sweep: close or resume what has no execution."
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
        result = "\n".join(_sweep())
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


def _sweep() -> Iterator[str]:
    """Invoke the sweepers of runs and of batches. A line with the counts of each."""
    import boto3

    from cli.backends.local_stack import connect_to_running

    with connect_to_running() as stack:
        for what, function in (("runs", "SweepRunsFunction"), ("batches", "SweepBatchesFunction")):
            name = stack.physical_id(function)
            response = boto3.client("lambda").invoke(FunctionName=name, Payload="{}")
            counts = json.loads(response["Payload"].read())
            texts = (f"{name.replace('_', ' ')} {count}" for name, count in counts.items())
            yield f"{what}: {', '.join(texts)}"
