"""DynamoDB: reads and writes items as Python values, with conditions, and pages through queries."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from upcall import config

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = Mapping[str, Any]
"""An item's attributes as Python values, without its keys. DynamoDB takes no floats."""


@cache
def run_table() -> "Table":
    """The table of this function's environment."""
    import boto3

    _serializers()
    return Table(boto3.client("dynamodb"), config.table_name())


class Table:
    """A table with the keys `pk` and `sk`. Reads are consistent, except of an index or on request."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    def get(self, pk: str, sk: str, *, consistent: bool = True) -> Item | None:
        """The item of that key, if there is one. A read that need not be consistent costs half."""
        found = self._client.get_item(TableName=self._name, Key=_key(pk, sk), ConsistentRead=consistent)
        return _deserialize_item(found["Item"]) if "Item" in found else None

    def put(self, pk: str, sk: str, item: Item) -> None:
        """Write an item; it replaces an existing one."""
        self._client.put_item(TableName=self._name, Item=_serialize_item(pk, sk, item))

    def put_new(self, pk: str, sk: str, item: Item) -> bool:
        """Write an item unless there is one. Returns whether it was written."""
        try:
            self._client.put_item(
                TableName=self._name,
                Item=_serialize_item(pk, sk, item),
                ConditionExpression="attribute_not_exists(pk)",
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def put_if(self, pk: str, sk: str, item: Item, **condition: int | None) -> bool:
        """Write an item in place of one whose attribute has a value, or of none if the value is None.

        Returns whether the condition held.
        """
        ((name, value),) = condition.items()
        if value is None:
            return self.put_new(pk, sk, item)
        try:
            self._client.put_item(
                TableName=self._name,
                Item=_serialize_item(pk, sk, item),
                ConditionExpression="#name = :value",
                ExpressionAttributeNames={"#name": name},
                ExpressionAttributeValues={":value": _serialize(value)},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def count_up(
        self, pk: str, sk: str, counter: str, lowest: int, *, expected: int, **condition: int
    ) -> Item | None:
        """Add one to a counter, which is set to `lowest` before if it is lower. Returns the item after that.

        None if the condition on another attribute does not hold. A counter that is about as `expected` takes
        one request.
        """
        ((name, value),) = condition.items()
        above = ("SET #counter = #counter + :one", "#counter >= :lowest", {":one": 1})
        below = ("SET #counter = :first", "#counter < :lowest", {":first": lowest + 1})
        forms = (above, below, above) if expected >= lowest else (below, above)  # a counter never falls
        for expression, comparison, values in forms:
            try:
                changed = self._client.update_item(
                    TableName=self._name,
                    Key=_key(pk, sk),
                    UpdateExpression=expression,
                    ConditionExpression=f"{comparison} AND #name = :value",
                    ExpressionAttributeNames={"#counter": counter, "#name": name},
                    ExpressionAttributeValues={
                        key: _serialize(each)
                        for key, each in {**values, ":lowest": lowest, ":value": value}.items()
                    },
                    ReturnValues="ALL_NEW",
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                continue
            return _deserialize_item(changed["Attributes"])
        return None

    def update(
        self,
        pk: str,
        sk: str,
        fields: Item,
        *,
        remove: Iterable[str] = (),
        add: Mapping[str, set[str]] = MappingProxyType({}),
        delete: Mapping[str, set[str]] = MappingProxyType({}),
        **condition: Any,
    ) -> bool:
        """Set attributes of an existing item, remove others, and add members to sets or delete some.

        A condition gives an attribute's value; a tuple gives values that the attribute must not have, and
        None stands for an attribute that the item must not have. Returns whether the condition held. A set
        without members is no attribute.
        """
        clauses = {
            "SET": [f"#{name} = :{name}" for name in fields],
            "REMOVE": [f"#{name}" for name in remove],
            "ADD": [f"#{name} :{name}" for name in add],
            "DELETE": [f"#{name} :{name}" for name in delete],
        }
        expression = " ".join(f"{verb} {', '.join(terms)}" for verb, terms in clauses.items() if terms)
        terms, values = [], {f":{name}": value for name, value in {**fields, **add, **delete}.items()}
        for name, expected in condition.items():
            if expected is None:
                terms.append(f"attribute_not_exists(#{name})")
                continue
            several = expected if isinstance(expected, tuple) else (expected,)
            placeholders = {f":if_{name}_{number}": each for number, each in enumerate(several)}
            terms.append(f"{'NOT ' * isinstance(expected, tuple)}#{name} IN ({', '.join(placeholders)})")
            values |= placeholders
        try:
            self._client.update_item(
                TableName=self._name,
                Key=_key(pk, sk),
                UpdateExpression=expression,
                ConditionExpression=" AND ".join(["attribute_exists(pk)", *terms]),
                ExpressionAttributeNames={
                    f"#{name}": name for name in {*fields, *remove, *add, *delete, *condition}
                },
                ExpressionAttributeValues={name: _serialize(value) for name, value in values.items()},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def query(self, pk: str, first: str, last: str) -> Iterator[Item]:
        """The items of a partition whose `sk` lies between `first` and `last`, both included, in order."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues={":pk": {"S": pk}, ":first": {"S": first}, ":last": {"S": last}},
            ConsistentRead=True,
        )
        return (_deserialize_item(item) for page in pages for item in page["Items"])

    def query_index(
        self, index: str, partition: tuple[str, str], before: tuple[str, str], *, descending: bool = True
    ) -> Iterator[Item]:
        """The items of an index's partition whose sort key is lower than a value.

        `partition` and `before` are attribute names with values.
        """
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            IndexName=index,
            KeyConditionExpression="#partition = :partition AND #sort < :before",
            ExpressionAttributeNames={"#partition": partition[0], "#sort": before[0]},
            ExpressionAttributeValues={":partition": {"S": partition[1]}, ":before": {"S": before[1]}},
            ScanIndexForward=not descending,
        )
        return (_deserialize_item(item) for page in pages for item in page["Items"])


def _key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def _serialize_item(pk: str, sk: str, item: Item) -> dict[str, Any]:
    return {**{name: _serialize(value) for name, value in item.items()}, **_key(pk, sk)}


def _deserialize_item(item: Mapping[str, Any]) -> Item:
    return {name: _serializers()[1](value) for name, value in item.items()}


def _serialize(value: Any) -> Any:
    return _serializers()[0](value)


@cache
def _serializers() -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """To and from DynamoDB's types. Loads boto3, which is why the import waits until here."""
    from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

    return TypeSerializer().serialize, TypeDeserializer().deserialize
