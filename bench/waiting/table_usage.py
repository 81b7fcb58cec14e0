"""Counts the read and write units of tables, from the requests that moto receives and the items it holds.

How DynamoDB counts them: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

import boto3
from moto.dynamodb.responses import DynamoHandler

from local import dynamodb
from local.dynamodb import Item

WRITES = ("PutItem", "UpdateItem", "DeleteItem")
READS = ("GetItem", "Query")


@dataclass(frozen=True)
class Index:
    """A key of a table or index; `projected` are the attributes of an entry, None if it has all."""

    keys: frozenset[str]
    projected: frozenset[str] | None = None

    def entry(self, item: Item | None) -> Item | None:
        """What the index holds of an item: nothing if the item lacks a part of the key."""
        if item is None or not self.keys <= item.keys():
            return None
        return {
            name: value for name, value in item.items() if self.projected is None or name in self.projected
        }

    def key(self, item: Item) -> str:
        """The key of an item, as text."""
        return json.dumps({name: item[name] for name in sorted(self.keys)})


class TableUsage:
    """The units of a table from now on. Its requests must come one after the other."""

    def __init__(self, table: str) -> None:
        self.write_units = 0
        self.read_units = 0.0
        self._table = table
        self._key, self._indexes = _describe(table)
        call_action = DynamoHandler.call_action

        def counted_action(handler: DynamoHandler) -> Any:
            parameters = handler.params
            if parameters.get("TableName") != table:
                return call_action(handler)
            action = handler._get_action()
            before = self._items() if action in WRITES else {}
            response = call_action(handler)
            if action in WRITES:
                self.write_units += count_write_units(before, self._items(), self._indexes)
            elif action in READS:
                self.read_units += count_read_units(_items_of(response), parameters)
            else:
                raise NotImplementedError(f"the units of {action}")
            return response

        DynamoHandler.call_action = counted_action  # type: ignore[method-assign]

    def _items(self) -> dict[str, Item]:
        return {self._key.key(item): item for item in dynamodb.read_items(self._table)}


def count_write_units(before: Mapping[str, Item], after: Mapping[str, Item], indexes: Iterable[Index]) -> int:
    """The units of one write, from all items by their keys before it and after it.

    A write that changes nothing, or whose condition is not met, is counted as one unit.
    """
    changed = [key for key in before.keys() | after.keys() if before.get(key) != after.get(key)]
    if not changed:
        return 1
    units = 0
    for key in changed:
        old, new = before.get(key), after.get(key)
        units += _kilobytes(old, new)
        units += sum(_index_units(index, index.entry(old), index.entry(new)) for index in indexes)
    return units


def _index_units(index: Index, old: Item | None, new: Item | None) -> int:
    """An entry whose key changes is deleted and put again; one that does not change is not written."""
    if old == new:
        return 0
    if old is not None and new is not None and index.key(old) != index.key(new):
        return _kilobytes(old) + _kilobytes(new)
    return _kilobytes(old, new)


def count_read_units(items: Iterable[Item], parameters: Mapping[str, Any]) -> float:
    """The units of a read that returned these items, half as many if it is not consistent."""
    units = max(1, ceil(sum(map(item_bytes, items)) / 4096))
    return units if parameters.get("ConsistentRead") else units / 2


def item_bytes(item: Item) -> int:
    """The size of an item: names and values."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return len(content) // 2 + 1
        case "BOOL" | "NULL":
            return 1
        case "L":
            return 3 + sum(1 + _value_bytes(each) for each in content)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_bytes(each) for name, each in content.items())
        case _:
            return len(json.dumps(content))


def _kilobytes(*items: Item | None) -> int:
    """The units of the largest of these items."""
    return max(ceil(item_bytes(item) / 1024) for item in items if item is not None)


def _items_of(response: Any) -> Iterator[Item]:
    body = json.loads(response[2])
    if "Item" in body:
        yield body["Item"]
    yield from body.get("Items", [])


def _describe(table: str) -> tuple[Index, list[Index]]:
    """The key of a table, and its indexes."""
    description = boto3.client("dynamodb").describe_table(TableName=table)["Table"]
    key = _keys(description["KeySchema"])
    indexes = []
    for each in description.get("GlobalSecondaryIndexes", []):
        keys, projection = _keys(each["KeySchema"]), each["Projection"]
        named = {*key, *keys, *projection.get("NonKeyAttributes", [])}
        indexes.append(Index(keys, None if projection["ProjectionType"] == "ALL" else frozenset(named)))
    return Index(key), indexes


def _keys(schema: Iterable[Any]) -> frozenset[str]:
    return frozenset(each["AttributeName"] for each in schema)
