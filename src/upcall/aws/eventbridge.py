"""EventBridge: the bus that events of runs and batches are published to."""

from functools import cache
from typing import TYPE_CHECKING

from upcall import config
from upcall.domain.batch import BatchEndedEvent
from upcall.domain.errors import TransientError
from upcall.domain.events import RunEvent

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE = "upcall"


def publish(event: RunEvent | BatchEndedEvent) -> None:
    """Put the event on the bus. Raises TransientError."""
    from botocore.exceptions import BotoCoreError, ClientError

    entry = {
        "EventBusName": config.bus_name(),
        "Source": SOURCE,
        "DetailType": event.event,
        "Detail": event.model_dump_json(),
    }
    try:
        response = get_client().put_events(Entries=[entry])  # type: ignore[list-item]
    except (BotoCoreError, ClientError) as error:
        raise TransientError(f"the bus cannot be reached: {type(error).__name__}") from None
    if response["FailedEntryCount"]:
        reason = response["Entries"][0].get("ErrorMessage")
        raise TransientError(f"the bus did not accept the event: {reason}")


@cache
def get_client() -> "EventBridgeClient":
    """The client of EventBridge. Loads boto3, which is why the import waits until here."""
    import boto3

    return boto3.client("events")
