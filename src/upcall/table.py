"""The one owner of DynamoDB: items of plain values by `pk` and `sk`, conditions, pages of queries."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from upcall import settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = Mapping[str, Any]
"""An item's attributes without its keys, as Python's values. Floats are none that DynamoDB takes."""


@cache
def run_table() -> "Table":
    """The table of this function's environment."""
    import boto3

    return Table(boto3.client("dynamodb"), settings.table_name())


class Table:
    """A table whose keys are `pk` and `sk`. Reads are consistent, but for those of an index."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    def get(self, pk: str, sk: str) -> Item | None:
        """The item at a place, if there is one."""
        found = self._client.get_item(TableName=self._name, Key=_key(pk, sk), ConsistentRead=True)
        return _read(found["Item"]) if "Item" in found else None

    def put(self, pk: str, sk: str, item: Item) -> None:
        """Write an item, over the one that is there, if there is one."""
        self._client.put_item(TableName=self._name, Item=_written(pk, sk, item))

    def add(self, pk: str, sk: str, item: Item) -> bool:
        """Write an item where there is none. Whether there was none."""
        try:
            self._client.put_item(
                TableName=self._name,
                Item=_written(pk, sk, item),
                ConditionExpression="attribute_not_exists(pk)",
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def change(self, pk: str, sk: str, fields: Item, **condition: Any) -> bool:
        """Set fields of an item. Whether the condition held.

        A condition names attributes and what each must be: a value, or one that is none of a tuple's.
        """
        sets = ", ".join(f"#{name} = :{name}" for name in fields)
        terms, values = [], {f":{name}": value for name, value in fields.items()}
        for name, wanted in condition.items():
            several = wanted if isinstance(wanted, tuple) else (wanted,)
            places = {f":if_{name}_{number}": each for number, each in enumerate(several)}
            terms.append(f"{'NOT ' * isinstance(wanted, tuple)}#{name} IN ({', '.join(places)})")
            values |= places
        try:
            self._client.update_item(
                TableName=self._name,
                Key=_key(pk, sk),
                UpdateExpression=f"SET {sets}",
                ConditionExpression=" AND ".join(["attribute_exists(pk)", *terms]),
                ExpressionAttributeNames={f"#{name}": name for name in {*fields, *condition}},
                ExpressionAttributeValues={name: _serialize(value) for name, value in values.items()},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def between(self, pk: str, first: str, end: str) -> Iterator[Item]:
        """The items of a partition from `first` to `end`, both included, in the order of `sk`."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :end",
            ExpressionAttributeValues={":pk": {"S": pk}, ":first": {"S": first}, ":end": {"S": end}},
            ConsistentRead=True,
        )
        return _items(pages)

    def indexed(self, index: str, partition: tuple[str, str], before: tuple[str, str]) -> Iterator[Item]:
        """The items of an index's partition whose sort key is below a value, the highest first.

        `partition` and `before` are names of attributes with values.
        """
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            IndexName=index,
            KeyConditionExpression="#partition = :partition AND #sort < :before",
            ExpressionAttributeNames={"#partition": partition[0], "#sort": before[0]},
            ExpressionAttributeValues={":partition": {"S": partition[1]}, ":before": {"S": before[1]}},
            ScanIndexForward=False,
        )
        return _items(pages)


def _key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def _written(pk: str, sk: str, item: Item) -> dict[str, Any]:
    return {**{name: _serialize(value) for name, value in item.items()}, **_key(pk, sk)}


def _items(pages: Iterable[Mapping[str, Any]]) -> Iterator[Item]:
    for page in pages:
        for item in page["Items"]:
            yield _read(item)


def _read(item: Mapping[str, Any]) -> Item:
    return {name: _deserialize(value) for name, value in item.items()}


@cache
def _serializers() -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """To and from DynamoDB's types; boto3 is loaded with the first use of a client, not before."""
    from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

    return TypeSerializer().serialize, TypeDeserializer().deserialize


def _serialize(value: Any) -> Any:
    return _serializers()[0](value)


def _deserialize(value: Any) -> Any:
    return _serializers()[1](value)
