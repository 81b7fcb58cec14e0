"""DynamoDB: reads and writes items as Python values, with conditions, and pages through queries."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from upcall import config
from upcall.domain.errors import TransientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = Mapping[str, Any]
"""An item's attributes as Python values, without its keys. Floats are read as decimals."""


SMALLEST_NUMBER = 1e-130
"""Of a number in a table, apart from 0."""

READ_DELAYS_SECONDS = (0.05, 0.2, 0.8)


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

    @property
    def client(self) -> "DynamoDBClient":
        """Its client."""
        return self._client

    @property
    def name(self) -> str:
        """Its name."""
        return self._name

    def get(self, pk: str, sk: str, *, consistent: bool = True) -> Item | None:
        """The item of that key, if there is one. A read that need not be consistent costs half."""
        found = self._client.get_item(TableName=self._name, Key=_key(pk, sk), ConsistentRead=consistent)
        return deserialize_item(found["Item"]) if "Item" in found else None

    def put(self, pk: str, sk: str, item: Item) -> None:
        """Write an item; it replaces an existing one."""
        self._client.put_item(TableName=self._name, Item=serialize_item(pk, sk, item))

    def put_new(self, pk: str, sk: str, item: Item) -> bool:
        """Write an item unless there is one. Returns whether it was written."""
        try:
            self._client.put_item(
                TableName=self._name,
                Item=serialize_item(pk, sk, item),
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
                Item=serialize_item(pk, sk, item),
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
            return deserialize_item(changed["Attributes"])
        return None

    def update(
        self,
        pk: str,
        sk: str,
        fields: Item,
        *,
        remove: Iterable[str] = (),
        add: Mapping[str, Any] = MappingProxyType({}),
        delete: Mapping[str, set[str]] = MappingProxyType({}),
        append: Mapping[str, Sequence[Any]] = MappingProxyType({}),
        below: Mapping[str, int] = MappingProxyType({}),
        containing: Mapping[str, str] = MappingProxyType({}),
        **condition: Any,
    ) -> bool:
        """Set attributes of an existing item, remove others, add to numbers and sets, or delete from sets.

        `append` adds values to the end of lists. A condition gives an attribute's value; a tuple gives values
        that the attribute must not have, and None stands for an attribute that the item must not have.
        `below` gives numbers that attributes must not have reached, `containing` a member that a set must
        have. Returns whether the condition held. A set without members is no attribute.
        """
        request = update_request(
            pk,
            sk,
            fields,
            remove=remove,
            add=add,
            delete=delete,
            append=append,
            below=below,
            containing=containing,
            exists=True,
            **condition,
        )
        try:
            self._client.update_item(TableName=self._name, **request)
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def update_or_read(self, request: Mapping[str, Any]) -> tuple[bool, Item]:
        """Make an update (see update_request). Returns whether its condition held, and the item as it is."""
        try:
            response = self._client.update_item(
                TableName=self._name,
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **request,
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            item: Any = error.response.get("Item", {})
            return False, deserialize_item(item)
        return True, deserialize_item(response["Attributes"])

    def get_many(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Item]:
        """Those of up to 100 items that there are, by their keys, in one request. Raises TransientError.

        DynamoDB may leave out some while it is throttled.
        """
        left = [_key(*key) for key in keys]
        found: dict[tuple[str, str], Item] = {}
        for delay in (*READ_DELAYS_SECONDS, None):
            response = self._client.batch_get_item(
                RequestItems={self._name: {"Keys": left, "ConsistentRead": True}}
            )
            for item in response["Responses"].get(self._name, []):
                values = deserialize_item(item)
                found[values["pk"], values["sk"]] = values
            unprocessed = response.get("UnprocessedKeys", {}).get(self._name)
            if not unprocessed:
                return found
            left = [dict(key) for key in unprocessed["Keys"]]
            if delay is not None:
                time.sleep(delay)
        raise TransientError("BatchGetItem: keys were not processed")

    def delete(self, pk: str, sk: str) -> None:
        """Delete an item, if there is one."""
        self._client.delete_item(TableName=self._name, Key=_key(pk, sk))

    def query(self, pk: str, first: str, last: str) -> Iterator[Item]:
        """The items of a partition whose `sk` lies between `first` and `last`, both included, in order."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues={":pk": {"S": pk}, ":first": {"S": first}, ":last": {"S": last}},
            ConsistentRead=True,
        )
        return (deserialize_item(item) for page in pages for item in page["Items"])

    def query_newest(self, pk: str, before: str, limit: int) -> list[Item]:
        """At most `limit` items of a partition whose `sk` is lower than a value, from the highest down.

        One request; the items must be small.
        """
        page = self._client.query(
            TableName=self._name,
            KeyConditionExpression="pk = :pk AND sk < :before",
            ExpressionAttributeValues={":pk": {"S": pk}, ":before": {"S": before}},
            ConsistentRead=True,
            ScanIndexForward=False,
            Limit=limit,
        )
        return [deserialize_item(item) for item in page["Items"]]

    def query_index(
        self,
        index: str,
        partition: tuple[str, str],
        before: tuple[str, str],
        *,
        descending: bool = True,
        page_size: int | None = None,
    ) -> Iterator[Item]:
        """The items of an index's partition whose sort key is lower than a value.

        `partition` and `before` are attribute names with values. Each request reads `page_size` items, or as
        many as fit into 1 MB.
        """
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            IndexName=index,
            KeyConditionExpression="#partition = :partition AND #sort < :before",
            ExpressionAttributeNames={"#partition": partition[0], "#sort": before[0]},
            ExpressionAttributeValues={":partition": {"S": partition[1]}, ":before": {"S": before[1]}},
            ScanIndexForward=not descending,
            PaginationConfig={} if page_size is None else {"PageSize": page_size},
        )
        return (deserialize_item(item) for page in pages for item in page["Items"])


def update_request(
    pk: str,
    sk: str,
    fields: Item,
    *,
    remove: Iterable[str] = (),
    add: Mapping[str, Any] = MappingProxyType({}),
    delete: Mapping[str, set[str]] = MappingProxyType({}),
    append: Mapping[str, Sequence[Any]] = MappingProxyType({}),
    below: Mapping[str, int] = MappingProxyType({}),
    containing: Mapping[str, str] = MappingProxyType({}),
    exists: bool = False,
    **condition: Any,
) -> dict[str, Any]:
    """The parameters of an update without those of the table; see Table.update.

    `add` also adds to numbers. `below` gives numbers that attributes must not have reached. Without `exists`
    the item is made if there is none.
    """
    clauses = {
        "SET": [
            *(f"#{name} = :{name}" for name in fields),
            *(f"#{name} = list_append(if_not_exists(#{name}, :empty), :{name})" for name in append),
        ],
        "REMOVE": [f"#{name}" for name in remove],
        "ADD": [f"#{name} :{name}" for name in add],
        "DELETE": [f"#{name} :{name}" for name in delete],
    }
    expression = " ".join(f"{verb} {', '.join(terms)}" for verb, terms in clauses.items() if terms)
    terms = ["attribute_exists(pk)"] if exists else []
    values: dict[str, Any] = {
        f":{name}": value for name, value in {**fields, **add, **delete, **append}.items()
    }
    if append:
        values[":empty"] = []
    for name, expected in condition.items():
        if expected is None:
            terms.append(f"attribute_not_exists(#{name})")
            continue
        several = expected if isinstance(expected, tuple) else (expected,)
        placeholders = {f":if_{name}_{number}": each for number, each in enumerate(several)}
        terms.append(f"{'NOT ' * isinstance(expected, tuple)}#{name} IN ({', '.join(placeholders)})")
        values |= placeholders
    for name, limit in below.items():
        terms.append(f"(attribute_not_exists(#{name}) OR #{name} < :below_{name})")
        values[f":below_{name}"] = limit
    for name, member in containing.items():
        terms.append(f"contains(#{name}, :containing_{name})")
        values[f":containing_{name}"] = member
    names = {*fields, *remove, *add, *delete, *append, *condition, *below, *containing}
    request: dict[str, Any] = {
        "Key": _key(pk, sk),
        "UpdateExpression": expression,
        "ExpressionAttributeNames": {f"#{name}": name for name in names},
    }
    if values:
        request["ExpressionAttributeValues"] = {name: _serialize(value) for name, value in values.items()}
    return request | ({"ConditionExpression": " AND ".join(terms)} if terms else {})


def _key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def serialize_item(pk: str, sk: str, item: Item) -> dict[str, Any]:
    """An item as DynamoDB takes it."""
    return {**{name: _serialize(value) for name, value in item.items()}, **_key(pk, sk)}


def deserialize_item(item: Mapping[str, Any]) -> Item:
    """An item of DynamoDB as Python values."""
    return {name: _serializers()[1](value) for name, value in item.items()}


def _serialize(value: Any) -> Any:
    return _serializers()[0](_without_floats(value))


def _without_floats(value: Any) -> Any:
    """The value with decimals in place of floats, which DynamoDB does not take."""
    if isinstance(value, float):
        if 0 < abs(value) < SMALLEST_NUMBER:
            value = math.copysign(SMALLEST_NUMBER, value)  # not 0: some numbers must be positive
        return Decimal(str(value))
    if isinstance(value, Mapping):
        return {name: _without_floats(each) for name, each in value.items()}
    return [_without_floats(each) for each in value] if isinstance(value, list | tuple) else value


@cache
def _serializers() -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """To and from DynamoDB's types. Loads boto3, which is why the import waits until here."""
    from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

    return TypeSerializer().serialize, TypeDeserializer().deserialize
