"""What is known of the server's rate limits, in the table of runs: one item for each server, key and model.

    pk           sk    generation, version, tickets   limit (the other fields as JSON text)   expires_at
    RATE#<hash>  RATE

The counter of tickets is written by every turn that takes one, the rest only if its version is unchanged. One
item takes 1,000 writes a second; a model with more turns has no need of tickets, or waits.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from upcall.aws.dynamodb import Item, Table
from upcall.domain.errors import TransientError
from upcall.domain.rate_limit import FORGOTTEN_AFTER_SECONDS, RateLimit

_RECORD = "RATE"
_COUNTED = ("generation", "version", "tickets")


class DynamoDBRateLimitRepository:
    """Implements RateLimitRepository for one server, which `server` names."""

    def __init__(self, table: Callable[[], Table], server: Callable[[], str]) -> None:
        self._table = table
        self._server = server

    def get(self, model: str, *, consistent: bool = False) -> RateLimit | None:
        """See RateLimitRepository."""
        with _unavailable_as_transient():
            item = self._table().get(self._pk(model), _RECORD, consistent=consistent)
            return _parse(item) if item else None

    def begin(self, model: str, begin: RateLimit, replaced: RateLimit | None) -> RateLimit | None:
        """See RateLimitRepository."""
        condition = {"generation": replaced.generation if replaced else None}
        with _unavailable_as_transient():
            if self._table().put_if(self._pk(model), _RECORD, _to_item(begin), **condition):
                return begin
        return self.get(model, consistent=True)

    def take_ticket(self, model: str, known: RateLimit, unused_before: int) -> RateLimit | None:
        """See RateLimitRepository."""
        with _unavailable_as_transient():
            item = self._table().count_up(
                self._pk(model),
                _RECORD,
                "tickets",
                unused_before,
                expected=known.tickets,
                generation=known.generation,
            )
            return _parse(item) if item else None

    def update(self, model: str, changed: RateLimit, version: int) -> bool:
        """See RateLimitRepository."""
        item = {name: value for name, value in _to_item(changed).items() if name != "tickets"}
        with _unavailable_as_transient():
            return self._table().update(
                self._pk(model), _RECORD, item, generation=changed.generation, version=version
            )

    def _pk(self, model: str) -> str:
        return f"RATE#{hashlib.sha256(json.dumps([self._server(), model]).encode()).hexdigest()}"


@contextmanager
def _unavailable_as_transient() -> Iterator[None]:
    """Raise TransientError for whatever the table, or an item that another version has written, raises."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError, ValueError, KeyError) as error:
        raise TransientError(f"the table of rate limits: {type(error).__name__}") from error


def _to_item(limit: RateLimit) -> Item:
    fields = limit.model_dump(include=set(_COUNTED))
    fields["limit"] = limit.model_dump_json(exclude=set(_COUNTED))
    fields["expires_at"] = int(limit.written_at + FORGOTTEN_AFTER_SECONDS)
    return fields


def _parse(item: Item) -> RateLimit:
    counted = {name: int(item[name]) for name in _COUNTED}
    return RateLimit.model_validate({**json.loads(item["limit"]), **counted})
