"""The one owner of the bus: announces how a run ended where the workflow could not."""

from functools import cache
from typing import TYPE_CHECKING

from upcall import settings
from upcall.errors import TryAgain
from upcall.run import Ending

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE = "upcall"


def announce(ending: Ending) -> None:
    """Put the event on the bus that the state "Announce" would have put there. Raises TryAgain."""
    entry = {
        "EventBusName": settings.bus_name(),
        "Source": SOURCE,
        "DetailType": ending.event,
        "Detail": ending.model_dump_json(),
    }
    answer = _events().put_events(Entries=[entry])  # type: ignore[list-item]
    if answer["FailedEntryCount"]:
        raise TryAgain(f"the bus did not take the event: {answer['Entries'][0].get('ErrorMessage')}")


@cache
def _events() -> "EventBridgeClient":
    import boto3

    return boto3.client("events")
