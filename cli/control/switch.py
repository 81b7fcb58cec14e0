"""Stops the start of runs, and lets them start again.

The functions that start runs read the stops in the table. While the runs of events are stopped, Lambda takes
no messages from the request queue either: they wait there, and come at once when it is resumed.
"""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3

from cli.control.stack_controls import StackControls
from cli.errors import CommandError
from upcall.domain.caller import EVENTS
from upcall.domain.stop import Scope, Stop

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

UPDATE_DELAYS_SECONDS = (1, 2, 4, 8, 16, 32)
"""A mapping that is being changed cannot be changed again for some seconds."""


def stop(controls: StackControls, scope: Scope, name: str) -> None:
    """Let no run of these start. Safe to repeat."""
    controls.items.stop(scope, name, datetime.now(UTC))
    _take_messages(controls)


def resume(controls: StackControls, scope: Scope, name: str) -> None:
    """Let them start again. Safe to repeat."""
    controls.items.resume(scope, name)
    _take_messages(controls)


def takes_messages(stops: Iterable[Stop]) -> bool:
    """Whether runs of events may start. A stop of a batch does not concern them."""
    return not any(stop.scope == "all" or (stop.scope, stop.name) == ("caller", EVENTS) for stop in stops)


def _take_messages(controls: StackControls) -> None:
    """Let Lambda take messages from the request queue, or not, as the stops say."""
    enabled = takes_messages(controls.items.list_stops())
    client = boto3.client("lambda")
    attributes = boto3.client("sqs").get_queue_attributes(
        QueueUrl=controls.request_queue, AttributeNames=["QueueArn"]
    )
    found = client.list_event_source_mappings(EventSourceArn=attributes["Attributes"]["QueueArn"])
    for mapping in found["EventSourceMappings"]:
        _enable(client, mapping["UUID"], enabled)


def _enable(client: "LambdaClient", mapping: str, enabled: bool) -> None:
    for delay in (*UPDATE_DELAYS_SECONDS, None):
        try:
            client.update_event_source_mapping(UUID=mapping, Enabled=enabled)
        except client.exceptions.ResourceInUseException:
            if delay is not None:
                time.sleep(delay)
        else:
            return
    verb = "taking" if enabled else "not taking"
    raise CommandError(
        f"Lambda is busy; {verb} messages of the request queue was not set: repeat the command"
    )
