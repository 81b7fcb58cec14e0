"""moto's DynamoDB: access to items without HTTP requests, and one request at a time. Fits moto 5.2.5."""

import threading
from collections.abc import Iterable
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from local.config import AWS_ENVIRONMENT

Item = dict[str, Any]
"""In DynamoDB's JSON."""

_call_action = DynamoHandler.call_action
_put_item = DynamoDBBackend.put_item
_update_item = DynamoDBBackend.update_item
_request = threading.Lock()
_changed: set[tuple[str, tuple[str, str]]] = set()
"""Tables and keys."""


def serialize_requests() -> None:
    """Let moto process one request at a time.

    Otherwise another request may write between the check of a condition and the write that depends on it.
    """

    def call_action(self: DynamoHandler) -> Any:
        with _request:
            return _call_action(self)

    DynamoHandler.call_action = call_action  # type: ignore[method-assign]


def track_changes() -> None:
    """Let `read_changed_items` know which items were written since it was called last."""

    def put_item(self: DynamoDBBackend, table_name: str, item_attrs: Item, *args: Any, **options: Any) -> Any:
        _changed.add((table_name, _key(item_attrs)))
        return _put_item(self, table_name, item_attrs, *args, **options)

    def update_item(self: DynamoDBBackend, table_name: str, key: Item, *args: Any, **options: Any) -> Any:
        _changed.add((table_name, _key(key)))
        return _update_item(self, table_name, key, *args, **options)

    DynamoDBBackend.put_item = put_item  # type: ignore[method-assign]
    DynamoDBBackend.update_item = update_item  # type: ignore[method-assign]


def read_changed_items(name: str) -> list[Item]:
    """The items of a table that were written since this was called last. Deleted ones are left out."""
    with _request:
        keys = [key for table, key in _changed if table == name]
        _changed.difference_update((name, key) for key in keys)
        table = _table(name)
        found = [table.get_item(DynamoType({"S": pk}), DynamoType({"S": sk})) for pk, sk in keys]
        return [item.to_json()["Attributes"] for item in found if item is not None]


def mark_changed(name: str, items: Iterable[Item]) -> None:
    """Let `read_changed_items` return these items again: they could not be saved."""
    with _request:
        _changed.update((name, _key(item)) for item in items)


def put_items(table: str, items: Iterable[Item]) -> None:
    """Put items into a table."""
    with _request:
        for item in items:
            _table(table).put_item(item)


def read_items(table: str) -> list[Item]:
    """All items of a table. In a scan over HTTP, an item takes a hundred times as long."""
    with _request:
        return [item.to_json()["Attributes"] for item in _table(table).all_items()]


def _key(item: Item) -> tuple[str, str]:
    return str(item["pk"]["S"]), str(item["sk"]["S"])


def _table(name: str) -> Table:
    return dynamodb_backends[DEFAULT_ACCOUNT_ID][AWS_ENVIRONMENT["AWS_REGION"]].get_table(name)
