"""`upcall send-event`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.errors import CommandError

RUN_REQUESTED = "Run Requested"


def send_event(
    file: Annotated[Path, typer.Argument(help="A JSON file, such as those in events/messages.")],
) -> None:
    """Send an event to the running local stack.

    `upcall local` runs the stack, `upcall list` shows the run that the event starts.
    """
    from cli.terminal.console import out

    out.print(f"sent to {_send(_read_event(file))}", soft_wrap=True)


def _send(event: dict[str, Any]) -> str:
    """Send an event where it would arrive on AWS, and return the destination. Raises CommandError.

    An event `Run Requested` goes to the event bus. The messages of an SQS event go to the request queue one
    by one, and any other event goes there as it is.
    """
    import boto3

    from cli.backends.local_stack import connect_to_running

    with connect_to_running() as stack:
        endpoints = stack.endpoints
        if event.get("detail-type") == RUN_REQUESTED:
            entry: Any = {
                "EventBusName": endpoints.bus,
                "Source": event.get("source", "upcall.cli"),
                "DetailType": RUN_REQUESTED,
                "Detail": json.dumps(event.get("detail", {})),
            }
            boto3.client("events").put_events(Entries=[entry])
            return f"the bus {endpoints.bus}"
        bodies = [record["body"] for record in event.get("Records", [])] or [json.dumps(event)]
        for body in bodies:
            boto3.client("sqs").send_message(QueueUrl=endpoints.request_queue, MessageBody=body)
        return f"the queue {endpoints.request_queue.rpartition('/')[2]}"


def _read_event(path: Path) -> dict[str, Any]:
    try:
        event = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise CommandError(f"{path} is not JSON: {error}") from None
    if not isinstance(event, dict):
        raise CommandError(f"{path} must contain a JSON object")
    return event
