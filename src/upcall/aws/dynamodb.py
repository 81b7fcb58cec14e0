"""DynamoDB: reads and writes items as Python values, with conditions, and pages through queries."""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from upcall import config
from upcall.domain.errors import TransientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = Mapping[str, Any]
"""An item's attributes as Python values, without its keys. DynamoDB takes no floats."""


MAX_CONFLICTS = 8
CONFLICT_PAUSE_SECONDS = 0.02
"""Of the first pause, at most, after a transaction met another one; each may be twice as long as the last."""


@dataclass(frozen=True)
class Update:
    """An update of an item, as `Table.update` describes it. With `or_create` the item need not exist."""

    pk: str
    sk: str
    fields: Item = field(default_factory=dict)
    remove: Iterable[str] = ()
    add: Mapping[str, Any] = field(default_factory=dict)
    delete: Mapping[str, set[str]] = field(default_factory=dict)
    condition: Mapping[str, Any] = field(default_factory=dict)
    or_create: bool = False

    def request(self, table: str) -> Any:
        """The parameters of UpdateItem."""
        fields, remove, add, delete, condition = (
            self.fields,
            self.remove,
            self.add,
            self.delete,
            self.condition,
        )
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
        exists = [] if self.or_create else ["attribute_exists(pk)"]
        request: dict[str, Any] = {
            "TableName": table,
            "Key": _key(self.pk, self.sk),
            "UpdateExpression": expression,
            "ExpressionAttributeNames": {
                f"#{name}": name for name in {*fields, *remove, *add, *delete, *condition}
            },
            "ExpressionAttributeValues": {name: _serialize(value) for name, value in values.items()},
        }
        if exists or terms:
            request["ConditionExpression"] = " AND ".join([*exists, *terms])
        return request


@cache
def run_table() -> "Table":
    """The table of this function's environment."""
    import boto3

    _serializers()
    return Table(boto3.client("dynamodb"), config.table_name())


class Table:
    """A table with the keys `pk` and `sk`. Reads are consistent, except for those of an index."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    def get(self, pk: str, sk: str) -> Item | None:
        """The item of that key, if there is one."""
        found = self._client.get_item(TableName=self._name, Key=_key(pk, sk), ConsistentRead=True)
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

    def update(
        self,
        pk: str,
        sk: str,
        fields: Item,
        *,
        remove: Iterable[str] = (),
        add: Mapping[str, Any] = MappingProxyType({}),
        delete: Mapping[str, set[str]] = MappingProxyType({}),
        **condition: Any,
    ) -> bool:
        """Set attributes of an existing item, remove others, add to numbers and sets, or delete from sets.

        A condition gives an attribute's value; a tuple gives values that the attribute must not have, and
        None stands for an attribute that the item must not have. Returns whether the condition held. A set
        without members is no attribute.
        """
        update = Update(pk, sk, fields, remove, add, delete, condition)
        try:
            self._client.update_item(**update.request(self._name))
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def update_all(self, *updates: "Update") -> bool:
        """Make several updates, all or none. Returns whether all conditions held.

        Raises TransientError if other transactions change the same items, after MAX_CONFLICTS tries.
        """
        items = [{"Update": update.request(self._name)} for update in updates]
        for attempt in range(MAX_CONFLICTS):
            try:
                self._client.transact_write_items(TransactItems=items)  # type: ignore[arg-type]
            except self._client.exceptions.TransactionCanceledException as error:
                reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
                if "ConditionalCheckFailed" in reasons:
                    return False
                time.sleep(random.uniform(0, CONFLICT_PAUSE_SECONDS * 2**attempt))  # noqa: S311  # jitter
            else:
                return True
        raise TransientError(f"the items changed in each of {MAX_CONFLICTS} tries")

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
