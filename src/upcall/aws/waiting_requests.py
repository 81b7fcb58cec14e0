"""The requests of each caller that wait for a change of a run: one item per caller, with a place for each.

    pk              sk       what
    CALLER#<owner>  WAITING  place_<n>: until when place n is taken, in milliseconds since 1970

A place is taken with one write, and given back with another. One whose function was killed is free when its
time is over.
"""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from upcall import config
from upcall.aws.dynamodb import Table, run_table, update_request
from upcall.domain.long_poll import Place

TRIES: Final = 3
RETENTION: Final = timedelta(days=1)

_SK: Final = "WAITING"


def waiting_requests() -> "DynamoDBWaitingRequests":
    """Those of this function's table."""
    return DynamoDBWaitingRequests(run_table(), config.waiting_requests_per_caller())


class DynamoDBWaitingRequests:
    """Implements WaitingRequests."""

    def __init__(self, table: Table, places: int) -> None:
        self._table = table
        self.places = places

    def take_place(self, owner: str, now: datetime, until: datetime) -> Place | None:
        """See WaitingRequests. Of requests that come at once, one may get none though there was one left."""
        now_ms, until_ms = _milliseconds(now), _milliseconds(until)
        free = list(range(self.places))
        for _ in range(TRIES):
            if not free:
                return None
            number = random.choice(free)  # noqa: S311  # spreads requests that come at once
            fields = {_place(number): until_ms, "expires_at": int((until + RETENTION).timestamp())}
            request = update_request(_pk(owner), _SK, fields, below={_place(number): now_ms})
            taken, item = self._table.update_or_read(request)
            free = [each for each in range(self.places) if not _is_taken(item, each, now_ms)]
            if taken:
                return Place(number, until_ms, self.places - len(free))
        return None

    def leave_place(self, owner: str, place: Place) -> None:
        """See WaitingRequests."""
        name = _place(place.number)
        condition: dict[str, Any] = {name: place.until}
        self._table.update(_pk(owner), _SK, {}, remove=[name], **condition)


def _is_taken(item: Mapping[str, Any], number: int, now: int) -> bool:
    return int(item.get(_place(number), 0)) >= now


def _place(number: int) -> str:
    return f"place_{number}"


def _pk(owner: str) -> str:
    return f"CALLER#{owner}"


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)
