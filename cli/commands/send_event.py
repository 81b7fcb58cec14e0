"""`upcall send-event` and `upcall fire`: what would come from elsewhere on AWS, sent by hand."""

import json
import uuid
from pathlib import Path
from typing import Any

import boto3

from cli.backends.local_stack import running
from cli.errors import Problem
from local.config import STACK_NAME

RUN_REQUESTED = "Run Requested"


def send_event(path: Path) -> str:
    """Send what a file holds to where it would come in; says where that is. Raises Problem.

    An event `Run Requested` goes to the bus, the messages of an event of SQS to the queue one by one, and
    anything else to the queue as it is.
    """
    event = _read(path)
    with running() as chosen:
        to = chosen.addresses
        if event.get("detail-type") == RUN_REQUESTED:
            entry: Any = {
                "EventBusName": to.bus,
                "Source": event.get("source", "upcall.cli"),
                "DetailType": RUN_REQUESTED,
                "Detail": json.dumps(event.get("detail", {})),
            }
            boto3.client("events").put_events(Entries=[entry])
            return f"the bus {to.bus}"
        bodies = [record["body"] for record in event.get("Records", [])] or [json.dumps(event)]
        for body in bodies:
            boto3.client("sqs").send_message(QueueUrl=to.request_queue, MessageBody=body)
        return f"the queue {to.request_queue.rpartition('/')[2]}"


def fire(what: str, urls: list[str]) -> str:
    """Do what a clock does on AWS, now; says what was done. Raises Problem for a clock that is none."""
    if what == "schedule":
        return f"sent to {_fire_digest(urls)}"
    if what == "sweep":
        return _fire_sweep()
    raise Problem(f"there is nothing called {what!r} to fire; there is schedule, sweep")


def _fire_sweep() -> str:
    with running():
        found = boto3.client("cloudformation").describe_stack_resource(
            StackName=STACK_NAME, LogicalResourceId="SweepRunsFunction"
        )["StackResourceDetail"]
        answer = boto3.client("lambda").invoke(FunctionName=found["PhysicalResourceId"], Payload="{}")
        swept = json.loads(answer["Payload"].read())
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in swept.items())


def _fire_digest(urls: list[str]) -> str:
    """Ask for a digest of these URLs, by default of the sample pages."""
    with running() as chosen:
        wanted = urls or [f"{chosen.addresses.pages}/{name}" for name in ("tides", "lighthouses", "bread")]
        message = {
            "detail-type": "Digest Requested",
            "id": str(uuid.uuid4()),
            "detail": {"urls": ", ".join(wanted)},
        }
        queue = chosen.addresses.request_queue
        boto3.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(message))
        return f"the queue {queue.rpartition('/')[2]}"


def _read(path: Path) -> dict[str, Any]:
    try:
        event = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise Problem(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise Problem(f"{path} is not JSON: {error}") from None
    if not isinstance(event, dict):
        raise Problem(f"{path} should hold an object")
    return event
