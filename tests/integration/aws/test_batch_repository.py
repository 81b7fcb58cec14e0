"""DynamoDBBatchRepository on moto, with the table that `template.yaml` describes."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from moto.dynamodb.responses import DynamoHandler
from support.batch_records import BATCH_ID, COMPLETED, new_batch
from support.batch_repository_contract import (
    LATER,
    BatchRepositoryContract,
    add_numbered_batch,
    line_of,
)
from support.fakes.clock import START
from support.run_records import new_run

from local.dynamodb import serialize_requests
from upcall.aws.batch_repository import COUNT_SHARDS, DynamoDBBatchRepository
from upcall.aws.dynamodb import Table
from upcall.aws.run_repository import DynamoDBRunRepository

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

RETENTION_DAYS = 30


@pytest.fixture(scope="module")
def dynamodb(aws_client: Any) -> "DynamoDBClient":
    client: DynamoDBClient = aws_client("dynamodb")
    return client


@pytest.fixture
def table(dynamodb: "DynamoDBClient", table_schema: dict[str, Any], unique_name: str) -> Iterator[Table]:
    dynamodb.create_table(TableName=unique_name, **table_schema)
    yield Table(dynamodb, unique_name)
    dynamodb.delete_table(TableName=unique_name)


@pytest.fixture(autouse=True)
def _one_request_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on the local stack. In two threads, moto takes a copy of a table that the other one changes."""
    monkeypatch.setattr(DynamoHandler, "call_action", DynamoHandler.call_action)
    serialize_requests()


@pytest.fixture
def batches(table: Table) -> DynamoDBBatchRepository:
    return DynamoDBBatchRepository(table, RETENTION_DAYS)


def scan(dynamodb: "DynamoDBClient", name: str) -> list[dict[str, Any]]:
    return dynamodb.scan(TableName=name)["Items"]


class TestDynamoDBBatchRepository(BatchRepositoryContract):
    pass


def test_every_item_has_the_documented_key_and_expires_with_its_batch(
    batches: DynamoDBBatchRepository, table: Table, dynamodb: "DynamoDBClient", unique_name: str
) -> None:
    batch = batches.add_batch(new_batch())
    batches.claim_line(batch, line_of(17))
    batches.end_line(BATCH_ID, 17, COMPLETED, batch.created_at)

    items = scan(dynamodb, unique_name)
    assert sorted((item["pk"]["S"], item["sk"]["S"]) for item in items) == [
        (f"BATCH#{BATCH_ID}", "BATCH"),
        (f"BATCH#{BATCH_ID}", "COUNTS#01"),
        (f"BATCH#{BATCH_ID}", "LINE#00000017"),
        ("BATCHES", batch.list_key),
        ("BATCHES#ann", batch.list_key),
    ]
    expiry = int((START + timedelta(days=RETENTION_DAYS)).timestamp())
    assert {int(item["expires_at"]["N"]) for item in items} == {expiry}


def test_lines_that_follow_each_other_are_counted_in_several_items(
    batches: DynamoDBBatchRepository, dynamodb: "DynamoDBClient", unique_name: str
) -> None:
    """Transactions that change the same item at once repeat each other."""
    batch = batches.add_batch(new_batch())
    for number in range(1, 2 * COUNT_SHARDS + 1):
        batches.claim_line(batch, line_of(number))
        batches.end_line(BATCH_ID, number, COMPLETED, START)

    counts = [item for item in scan(dynamodb, unique_name) if item["sk"]["S"].startswith("COUNTS#")]
    assert [item["completed"]["N"] for item in counts] == ["2"] * COUNT_SHARDS


def test_lists_of_runs_and_sweeps_show_neither_batches_nor_lines(
    batches: DynamoDBBatchRepository, table: Table
) -> None:
    runs = DynamoDBRunRepository(table, RETENTION_DAYS)
    run = runs.add_run(new_run(owner="ann"))
    batch = batches.add_batch(new_batch(owner="ann"))
    batches.claim_line(batch, line_of(1))

    for owner in ("ann", None):
        listed = runs.list_runs(owner=owner, status=None, limit=10)
        assert [each.run_id for each in listed.runs] == [run.run_id]
    assert list(runs.list_open_runs(LATER)) == [run.run_id]


def test_what_has_ended_leaves_the_index_of_what_is_open(
    batches: DynamoDBBatchRepository, dynamodb: "DynamoDBClient", unique_name: str
) -> None:
    batch = batches.add_batch(new_batch())
    batches.claim_line(batch, line_of(1))
    assert dynamodb.scan(TableName=unique_name, IndexName="open_runs")["Count"] == 2

    batches.end_line(BATCH_ID, 1, COMPLETED, START)
    assert dynamodb.scan(TableName=unique_name, IndexName="open_runs")["Count"] == 1

    batches.end_batch(batch, "completed", 1, LATER)
    assert dynamodb.scan(TableName=unique_name, IndexName="open_runs")["Count"] == 0


def test_a_list_reads_no_more_entries_than_it_shows_and_five_batches_in_a_request(
    batches: DynamoDBBatchRepository, dynamodb: "DynamoDBClient"
) -> None:
    for number in range(30):
        add_numbered_batch(batches, number)
    requests: list[tuple[str, Any]] = []

    def record(model: Any, params: dict[str, Any], **_: Any) -> None:
        requests.append((model.name, json.loads(params["body"])))

    dynamodb.meta.events.register("before-call.dynamodb", record)
    try:
        page = batches.list_batches(owner=None, limit=12)
    finally:
        dynamodb.meta.events.unregister("before-call.dynamodb", record)

    assert len(page.batches) == 12
    assert [name for name, _ in requests] == ["Query", *["BatchGetItem"] * 3]
    assert requests[0][1]["Limit"] == 13, "one more shows whether there is another page"


def test_entries_whose_batch_has_expired_are_left_out(batches: DynamoDBBatchRepository, table: Table) -> None:
    """DynamoDB deletes expired items one by one. A key that was used once more then has another batch."""
    old = [add_numbered_batch(batches, number) for number in range(4)]
    for batch in old[1:3]:
        table.delete(f"BATCH#{batch.batch_id}", "BATCH")
    again = batches.add_batch(old[2].model_copy(update={"created_at": LATER}))

    first = batches.list_batches(owner="ann", limit=3)
    assert [batch for batch, _ in first.batches] == [again, old[3]]
    second = batches.list_batches(owner="ann", limit=3, cursor=first.next_cursor)
    assert [batch for batch, _ in second.batches] == [old[0]]
