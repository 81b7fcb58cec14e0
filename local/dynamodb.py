"""moto's DynamoDB: access to items without HTTP requests, and one request at a time. Fits moto 5.2.5."""

import threading
from collections.abc import Iterable
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from local.config import AWS_ENVIRONMENT

Item = dict[str, Any]
"""In DynamoDB's JSON."""

_call_action = DynamoHandler.call_action
_request = threading.Lock()


def serialize_requests() -> None:
    """Let moto process one request at a time.

    Otherwise another request may write between the check of a condition and the write that depends on it.
    """

    def call_action(self: DynamoHandler) -> Any:
        with _request:
            return _call_action(self)

    DynamoHandler.call_action = call_action  # type: ignore[method-assign]


def put_items(table: str, items: Iterable[Item]) -> None:
    """Put items into a table."""
    with _request:
        for item in items:
            _table(table).put_item(item)


def read_items(table: str) -> list[Item]:
    """All items of a table. In a scan over HTTP, an item takes a hundred times as long."""
    with _request:
        return [item.to_json()["Attributes"] for item in _table(table).all_items()]


def _table(name: str) -> Table:
    return dynamodb_backends[DEFAULT_ACCOUNT_ID][AWS_ENVIRONMENT["AWS_REGION"]].get_table(name)
