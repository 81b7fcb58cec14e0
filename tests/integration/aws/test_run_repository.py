"""DynamoDBRunRepository on moto, with the table that `template.yaml` describes."""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from support.fakes.clock import START
from support.run_records import ANSWER, FAILURE, UPSTREAM_RUN, USAGE, answered_round, new_run
from support.run_repository_contract import RunRepositoryContract
from support.run_repository_contract.writes import DONE, LATER, add_calls, add_failed_run, add_run

from local.dynamodb import serialize_requests
from upcall.aws import run_repository
from upcall.aws.dynamodb import Table
from upcall.aws.run_repository import MESSAGE_PART_BYTES, DynamoDBRunRepository
from upcall.domain.run import Run
from upcall.domain.tool_calls import ToolCall
from upcall.domain.upstream_run import Message
from upcall.domain.usage import NO_USAGE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

RETENTION_DAYS = 30

Item = dict[str, Any]


class RequestLog:
    """The requests that a DynamoDB client makes."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self.requests: list[tuple[str, dict[str, Any]]] = []
        client.meta.events.register("provide-client-params.dynamodb.*", self._record)

    def _record(self, params: dict[str, Any], model: Any, **_: object) -> None:
        self.requests.append((model.name, params))

    @property
    def operations(self) -> list[str]:
        return [name for name, _ in self.requests]


@pytest.fixture(scope="module")
def dynamodb(aws_client: Any) -> "DynamoDBClient":
    serialize_requests()  # otherwise moto's transactions are not isolated from each other
    client: DynamoDBClient = aws_client("dynamodb")
    return client


@pytest.fixture
def table(dynamodb: "DynamoDBClient", table_schema: dict[str, Any], unique_name: str) -> Iterator[str]:
    """The name of an empty table."""
    dynamodb.create_table(TableName=unique_name, **table_schema)
    yield unique_name
    dynamodb.delete_table(TableName=unique_name)


@pytest.fixture
def repository(dynamodb: "DynamoDBClient", table: str) -> DynamoDBRunRepository:
    return DynamoDBRunRepository(Table(dynamodb, table), RETENTION_DAYS)


@pytest.fixture
def logged(aws_client: Any, table: str) -> tuple[DynamoDBRunRepository, RequestLog]:
    """The repository with a client of its own, and the requests of that client."""
    client = aws_client("dynamodb")
    return DynamoDBRunRepository(Table(client, table), RETENTION_DAYS), RequestLog(client)


def scan(dynamodb: "DynamoDBClient", table: str, **parameters: Any) -> list[Item]:
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, **parameters)
    return [item for page in pages for item in page["Items"]]


def end(repository: DynamoDBRunRepository, run: Run) -> Run:
    return repository.record_failure(run, FAILURE, NO_USAGE, LATER)


class TestDynamoDBRunRepository(RunRepositoryContract):
    pass


def test_every_item_has_the_documented_key(
    repository: DynamoDBRunRepository, dynamodb: "DynamoDBClient", table: str
) -> None:
    run = add_run(repository)
    repository.claim_idempotency_key("a key", run, "f")
    repository.record_round(run, UPSTREAM_RUN, [ANSWER], USAGE)
    repository.complete_run(repository.get_run(run.run_id), DONE, LATER)

    keys = sorted((item["pk"]["S"], item["sk"]["S"]) for item in scan(dynamodb, table))
    claim, *others = keys
    assert claim[0].startswith("KEY#")
    assert claim[1] == "KEY"
    assert others == [
        (f"RUN#{run.run_id}", "CALL#0001#0001"),
        (f"RUN#{run.run_id}", "MESSAGE#01#0001"),
        (f"RUN#{run.run_id}", "RUN"),
    ]


def test_all_items_of_a_run_expire_at_the_same_time(
    repository: DynamoDBRunRepository, dynamodb: "DynamoDBClient", table: str
) -> None:
    run = add_run(repository)
    repository.claim_idempotency_key("a key", run, "f")
    repository.record_round(run, UPSTREAM_RUN, [ANSWER], USAGE)
    repository.complete_run(repository.get_run(run.run_id), DONE, LATER)

    (expires_at,) = {int(item["expires_at"]["N"]) for item in scan(dynamodb, table)}
    assert expires_at == int((run.created_at + timedelta(days=RETENTION_DAYS)).timestamp())


def test_a_long_message_is_stored_in_parts_that_fit_into_items(
    repository: DynamoDBRunRepository, dynamodb: "DynamoDBClient", table: str
) -> None:
    text = "x" + "😀" * MESSAGE_PART_BYTES
    ended = repository.complete_run(add_run(repository), Message(text=text), LATER)

    parts = [item["text"]["S"] for item in scan(dynamodb, table) if item["sk"]["S"].startswith("MESSAGE#")]
    assert len(parts) == ended.message_parts == 5
    assert all(MESSAGE_PART_BYTES - 3 <= len(part.encode()) <= MESSAGE_PART_BYTES for part in parts[:-1])
    assert repository.get_message(ended) == text


def test_the_key_of_a_call_is_short_whatever_its_id_is(
    repository: DynamoDBRunRepository, dynamodb: "DynamoDBClient", table: str
) -> None:
    run = add_run(repository)
    call = ToolCall(call_id="ä" * 1000, name="fetch", arguments="{}")
    repository.record_round(run, UPSTREAM_RUN, answered_round(1, [call]), USAGE)

    assert max(len(item["sk"]["S"].encode()) for item in scan(dynamodb, table)) < 256
    (entry,) = repository.get_ledger(run.run_id)
    assert entry.call == call
    assert repository.list_calls(run.run_id, 1).next_cursor is not None


def test_only_open_runs_are_in_the_index_of_open_runs(
    repository: DynamoDBRunRepository, dynamodb: "DynamoDBClient", table: str
) -> None:
    """A sweep reads as many items as there are open runs, whatever the retention is."""
    run = add_calls(repository, add_run(repository), 2)
    repository.claim_idempotency_key("a key", run, "f")
    repository.complete_run(add_run(repository), DONE, LATER)

    (item,) = scan(dynamodb, table, IndexName="open_runs")
    assert {name: value["S"] for name, value in item.items()} == {
        "pk": f"RUN#{run.run_id}",
        "sk": "RUN",
        "open": "open",
        "run_id": run.run_id,
    }


def test_a_run_leaves_the_index_when_it_ends_and_enters_it_again_when_it_is_reopened(
    repository: DynamoDBRunRepository, dynamodb: "DynamoDBClient", table: str
) -> None:
    ended = add_failed_run(repository)
    assert scan(dynamodb, table, IndexName="open_runs") == []

    reopened = repository.reopen_run(ended, None)
    assert len(scan(dynamodb, table, IndexName="open_runs")) == 1

    end(repository, reopened)
    assert scan(dynamodb, table, IndexName="open_runs") == []


def test_lists_of_runs_read_records_only(
    repository: DynamoDBRunRepository, dynamodb: "DynamoDBClient", table: str
) -> None:
    run = add_calls(repository, add_run(repository), 2)
    repository.claim_idempotency_key("a key", run, "f")
    repository.complete_run(run, DONE, LATER)

    for index in ("runs_by_time", "runs_by_owner"):
        (item,) = scan(dynamodb, table, IndexName=index)
        assert item["sk"]["S"] == "RUN"
        assert "usage" not in item


def test_open_runs_of_all_ages_and_statuses_are_found_by_one_query(
    repository: DynamoDBRunRepository, logged: tuple[DynamoDBRunRepository, RequestLog]
) -> None:
    for days in range(0, 400, 50):
        add_failed_run(repository, created_at=START - timedelta(days=days))
        queued = add_run(repository, created_at=START - timedelta(days=days))
        add_calls(repository, queued, 1)
    sweeping, log = logged

    assert len(list(sweeping.list_open_runs(created_before=LATER))) == 8
    assert log.operations == ["Query"]


@pytest.mark.parametrize("owner", [None, "ann"])
@pytest.mark.parametrize("status", [None, "failed", "queued", "expired"])
def test_a_page_of_runs_is_read_by_one_query(
    repository: DynamoDBRunRepository,
    logged: tuple[DynamoDBRunRepository, RequestLog],
    owner: str | None,
    status: Any,
) -> None:
    for days in range(0, 400, 50):
        add_failed_run(repository, owner="ann", created_at=START - timedelta(days=days))
        add_run(repository, owner="ann", created_at=START - timedelta(days=days))
    listing, log = logged

    page = listing.list_runs(owner=owner, status=status, limit=5)

    assert len(page.runs) == (0 if status == "expired" else 5)
    assert log.operations == ["Query"]


def test_a_page_of_calls_is_read_by_one_query(
    repository: DynamoDBRunRepository, logged: tuple[DynamoDBRunRepository, RequestLog]
) -> None:
    run = add_calls(repository, add_run(repository), 3)
    listing, log = logged

    listing.list_calls(run.run_id, 2)

    assert log.operations == ["Query"]


def test_records_messages_and_ledgers_are_read_consistently(
    repository: DynamoDBRunRepository, logged: tuple[DynamoDBRunRepository, RequestLog]
) -> None:
    run = add_calls(repository, add_run(repository), 1)
    ended = repository.complete_run(run, DONE, LATER)
    reading, log = logged

    reading.get_run(run.run_id)
    reading.get_message(ended)
    reading.get_ledger(run.run_id)
    reading.list_calls(run.run_id, 10)

    assert log.operations == ["GetItem", "Query", "Query", "Query"]
    assert all(parameters["ConsistentRead"] for _, parameters in log.requests)


def test_a_page_of_one_status_ends_when_it_has_read_many_records(
    repository: DynamoDBRunRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A status that few runs have would otherwise read the whole index for one page."""
    monkeypatch.setattr(run_repository, "MAX_SCANNED_RUNS", 3)
    oldest = end(repository, add_run(repository, created_at=START - timedelta(days=1)))
    for _ in range(4):
        add_run(repository)

    first = repository.list_runs(owner=None, status="failed", limit=2)
    second = repository.list_runs(owner=None, status="failed", limit=2, cursor=first.next_cursor)

    assert first.runs == ()
    assert [run.run_id for run in second.runs] == [oldest.run_id]
    assert second.next_cursor is None


def test_a_page_of_all_runs_reads_no_more_than_it_shows(
    repository: DynamoDBRunRepository, logged: tuple[DynamoDBRunRepository, RequestLog]
) -> None:
    for _ in range(5):
        add_run(repository)
    listing, log = logged

    page = listing.list_runs(owner=None, status=None, limit=2)

    assert len(page.runs) == 2
    assert [parameters["Limit"] for _, parameters in log.requests] == [2]


def test_a_run_that_changes_while_it_is_listed_is_listed_once(
    aws_client: Any, repository: DynamoDBRunRepository, table: str
) -> None:
    run = add_run(repository)
    client = aws_client("dynamodb")

    def change(**_: object) -> None:
        repository.record_creation(run, UPSTREAM_RUN, "polled")

    client.meta.events.register("provide-client-params.dynamodb.Query", change)
    listing = DynamoDBRunRepository(Table(client, table), RETENTION_DAYS)

    page = listing.list_runs(owner=None, status=None, limit=10)
    assert [(each.run_id, each.status) for each in page.runs] == [(run.run_id, "in_progress")]


def test_a_claim_shows_neither_owner_nor_key(
    repository: DynamoDBRunRepository, dynamodb: "DynamoDBClient", table: str
) -> None:
    repository.claim_idempotency_key("order 4711", new_run(owner="ann"), "f")

    (item,) = scan(dynamodb, table)
    assert "4711" not in str(item)
    assert "ann" not in str(item)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("ann", "smith key"), ("ann smith", "key")),
        (("ann", "x|y"), ("ann|x", "y")),
        (('ann", "x', "y"), ("ann", 'x", "y')),
        (("ann", "\0x"), ("ann\0", "x")),
    ],
)
def test_claims_of_two_owners_are_two_items_whatever_characters_they_hold(
    repository: DynamoDBRunRepository,
    dynamodb: "DynamoDBClient",
    table: str,
    first: tuple[str, str],
    second: tuple[str, str],
) -> None:
    for owner, key in (first, second):
        repository.claim_idempotency_key(key, new_run(owner=owner), "f")

    assert len(scan(dynamodb, table)) == 2
