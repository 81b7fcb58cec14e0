"""Transactions of DynamoDB: several items of a table are written together, or none of them."""

import random
import time
from collections.abc import Sequence
from typing import Any, Final

from upcall.aws.dynamodb import Item, Table, deserialize_item, serialize_item
from upcall.domain.errors import TransientError

MAX_TRIES: Final = 12
FIRST_DELAY_SECONDS: Final = 0.02
MAX_DELAY_SECONDS: Final = 0.5
"""Delays double, and each is a random part of that (full jitter): about two seconds in all."""

Write = dict[str, Any]
"""A write as TransactWriteItems takes it, without its table."""

_REFUSED: Final = "ConditionalCheckFailed"
_PASSING: Final = (
    "TransactionConflict",
    "ThrottlingError",
    "ProvisionedThroughputExceeded",
    "TransactionInProgressException",
)
"""Codes of what passes. The SDK does not repeat a transaction that was cancelled for one of them."""


def put_new(pk: str, sk: str, item: Item) -> Write:
    """Write an item unless there is one."""
    return {"Put": {"Item": serialize_item(pk, sk, item), "ConditionExpression": "attribute_not_exists(pk)"}}


def put(pk: str, sk: str, item: Item) -> Write:
    """Write an item; it replaces an existing one."""
    return {"Put": {"Item": serialize_item(pk, sk, item)}}


def update(request: dict[str, Any]) -> Write:
    """An update (see dynamodb.update_request). If its condition does not hold, the item is returned."""
    return {"Update": {**request, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}}


def transact(table: Table, writes: Sequence[Write]) -> list[Item | None] | None:
    """Write all or nothing. Returns None if it was written.

    Otherwise, for each write, None if its condition held, or the item for which it did not; the item is empty
    if there is none, or if it is not returned. Other transactions on the same items are waited for, with
    delays. Raises TransientError if they do not end.
    """
    client = table.client
    items: list[Any] = [
        {kind: {**request, "TableName": table.name} for kind, request in write.items()} for write in writes
    ]
    delay = FIRST_DELAY_SECONDS
    for number in range(1, MAX_TRIES + 1):
        try:
            client.transact_write_items(TransactItems=items)
        except client.exceptions.TransactionCanceledException as error:
            reasons: list[Any] = error.response["CancellationReasons"]
        except client.exceptions.TransactionInProgressException:
            reasons = [{"Code": "TransactionInProgressException"}]
        else:
            return None
        codes = {reason["Code"] for reason in reasons}
        if not codes & {*_PASSING}:
            if _REFUSED not in codes:
                raise RuntimeError(f"TransactWriteItems: {', '.join(sorted(codes))}")
            return [_refusal(reason) for reason in reasons]
        if number < MAX_TRIES:
            time.sleep(random.uniform(0, delay))  # noqa: S311  # a delay
            delay = min(2 * delay, MAX_DELAY_SECONDS)
    raise TransientError("TransactWriteItems: other transactions on the same items", retry_after=1)


def _refusal(reason: Any) -> Item | None:
    if reason["Code"] != _REFUSED:
        return None
    return deserialize_item(reason.get("Item") or {})
