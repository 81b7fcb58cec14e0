"""The table's file: whole or not at all, and never another command's runs lost."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from local.table_file import Snapshot

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.usefixtures("laptop")

TABLE = "snapshot-test"


def item(name: str, expires_in: float = 1000) -> dict[str, Any]:
    expires_at = str(int(time.time() + expires_in))
    return {"pk": {"S": name}, "sk": {"S": "RUN"}, "text": {"S": "ä😀"}, "expires_at": {"N": expires_at}}


@pytest.fixture
def client() -> Iterator["DynamoDBClient"]:
    made = boto3.client("dynamodb")
    keys: Any = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    made.create_table(
        TableName=TABLE,
        KeySchema=keys,
        AttributeDefinitions=[{"AttributeName": key["AttributeName"], "AttributeType": "S"} for key in keys],
        BillingMode="PAY_PER_REQUEST",
    )
    yield made
    made.delete_table(TableName=TABLE)


def emptied(client: "DynamoDBClient") -> "DynamoDBClient":
    for each in client.scan(TableName=TABLE)["Items"]:
        client.delete_item(TableName=TABLE, Key={"pk": each["pk"], "sk": each["sk"]})
    return client


def names(client: "DynamoDBClient") -> set[str]:
    return {each["pk"]["S"] for each in client.scan(TableName=TABLE)["Items"]}


def test_items_survive_from_one_command_to_the_next(client: "DynamoDBClient", tmp_path: Path) -> None:
    path = tmp_path / "state" / "table.jsonl"
    saved = item("a")
    client.put_item(TableName=TABLE, Item=saved)
    Snapshot(path).save(client, TABLE)
    Snapshot(path).load(emptied(client), TABLE)

    assert client.scan(TableName=TABLE)["Items"] == [saved]


def test_two_commands_at_once_lose_nothing(client: "DynamoDBClient", tmp_path: Path) -> None:
    path = tmp_path / "table.jsonl"
    first, second = Snapshot(path), Snapshot(path)
    client.put_item(TableName=TABLE, Item=item("a"))
    first.save(client, TABLE)
    emptied(client).put_item(TableName=TABLE, Item=item("b"))
    second.save(client, TABLE)
    Snapshot(path).load(emptied(client), TABLE)

    assert names(client) == {"a", "b"}


def test_items_whose_time_is_up_are_left_behind(client: "DynamoDBClient", tmp_path: Path) -> None:
    path = tmp_path / "table.jsonl"
    client.put_item(TableName=TABLE, Item=item("old", expires_in=-10))
    client.put_item(TableName=TABLE, Item=item("new"))
    Snapshot(path).save(client, TABLE)
    Snapshot(path).load(emptied(client), TABLE)

    assert names(client) == {"new"}


def test_a_file_is_written_whole_or_not_at_all(
    client: "DynamoDBClient", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "table.jsonl"
    client.put_item(TableName=TABLE, Item=item("a"))
    snapshot = Snapshot(path)
    snapshot.save(client, TABLE)
    before = path.read_bytes()

    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("the disk is full")))
    client.put_item(TableName=TABLE, Item=item("b"))
    with pytest.raises(OSError, match="the disk is full"):
        snapshot.save(client, TABLE)

    assert path.read_bytes() == before
    assert json.loads(before)["pk"] == {"S": "a"}
    assert list(tmp_path.glob("*.new")) == []
