"""Requests that wait, without DynamoDB."""

from collections import defaultdict
from datetime import datetime

from upcall.domain.long_poll import Place


class InMemoryWaitingRequests:
    """Implements WaitingRequests. `taken` has when the places of each caller are free again."""

    def __init__(self, places: int = 10) -> None:
        self.places = places
        self.taken: defaultdict[str, dict[int, datetime]] = defaultdict(dict)

    def take_place(self, owner: str, now: datetime, until: datetime) -> Place | None:
        """See WaitingRequests."""
        taken = self.taken[owner] = {n: end for n, end in self.taken[owner].items() if end > now}
        number = next((each for each in range(self.places) if each not in taken), None)
        if number is None:
            return None
        taken[number] = until
        return Place(number, int(until.timestamp() * 1000), len(taken))

    def leave_place(self, owner: str, place: Place) -> None:
        """See WaitingRequests."""
        until = self.taken[owner].get(place.number)
        if until is not None and int(until.timestamp() * 1000) == place.until:
            del self.taken[owner][place.number]
