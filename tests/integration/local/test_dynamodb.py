"""moto's DynamoDB on the local stack: direct access to items, and one request at a time."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from moto.dynamodb.comparisons import AttributeValue
from moto.dynamodb.models.dynamo_type import Item as MotoItem

from local.dynamodb import put_items, read_items
from local.stack import LocalStack
from upcall.aws.dynamodb import Table


def test_concurrent_writes_on_the_same_condition_do_not_both_find_it_true(
    local_stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`DynamoHandler.call_action`: of eight writes, one finds the condition true.

    moto's check of the condition is slowed down, as it may be on a busy machine.
    """
    check = AttributeValue.expr

    def check_slowly(value: AttributeValue, item: MotoItem | None) -> object:
        time.sleep(0.005)
        return check(value, item)

    monkeypatch.setattr(AttributeValue, "expr", check_slowly)
    table, name = Table(local_stack.deployed.dynamodb, local_stack.deployed.table), uuid.uuid4().hex
    table.put(name, "RUN", {"status": "open"})

    def end(number: int) -> bool:
        return table.update(name, "RUN", {"status": f"ended by {number}"}, status="open")

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(end, range(8))) == 1


def test_items_are_read_and_put_without_a_change(local_stack: LocalStack) -> None:
    table, dynamodb = local_stack.deployed.table, local_stack.deployed.dynamodb
    key = {"pk": {"S": uuid.uuid4().hex}, "sk": {"S": "RUN"}}
    item: dict[str, Any] = {
        **key,
        "text": {"S": "ä😀"},
        "number": {"N": "1.50"},
        "list": {"L": [{"M": {"a": {"NULL": True}}}, {"BOOL": False}]},
        "expires_at": {"N": str(int(time.time()) + 1000)},
    }
    put_items(table, [item])

    assert dynamodb.get_item(TableName=table, Key=key)["Item"] == item
    assert item in read_items(table)
    dynamodb.delete_item(TableName=table, Key=key)
    assert item not in read_items(table)
