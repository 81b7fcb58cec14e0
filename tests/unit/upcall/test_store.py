"""The table, on moto, with the key schema of the template."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

import boto3
import pytest

from local.stack import LocalStack
from upcall.aws.dynamodb import Table
from upcall.aws.run_repository import PART_BYTES, DynamoDBRunRepository
from upcall.domain.errors import NotFound, RunAlreadyEnded
from upcall.domain.failure import Failure
from upcall.domain.run import Run
from upcall.domain.tool_calls import ToolCall, ToolOutput
from upcall.domain.upstream_run import Message, UpstreamRun
from upcall.domain.usage import Usage

HANDLE = UpstreamRun(run_api="responses", ids={"response_id": "resp_1"})
USED = Usage(input_tokens=1, output_tokens=2, total_tokens=3)
CALL = ToolCall(call_id="c1", name="fetch", arguments='{"url": "x"}')
OUTPUT = ToolOutput(call_id="c1", outcome="ok", output="ä😀", duration_ms=12)


@pytest.fixture
def store(laptop: LocalStack) -> Iterator[DynamoDBRunRepository]:
    client = boto3.client("dynamodb")
    table = client.describe_table(TableName=laptop.stack.table)["Table"]
    name = "store-test"
    index = [
        {key: each[key] for key in ("IndexName", "KeySchema", "Projection")}
        for each in table["GlobalSecondaryIndexes"]
    ]
    client.create_table(
        TableName=name,
        KeySchema=table["KeySchema"],
        AttributeDefinitions=table["AttributeDefinitions"],
        GlobalSecondaryIndexes=index,  # type: ignore[arg-type]
        BillingMode="PAY_PER_REQUEST",
    )
    yield DynamoDBRunRepository(Table(client, name), 30)
    client.delete_table(TableName=name)


def added(store: DynamoDBRunRepository, prompt: str = "Go.") -> Run:
    run = Run.new(
        prompt=prompt, assistant="summarizer", model="m", run_api="responses", created_at=datetime.now(UTC)
    )
    store.add_run(run)
    return run


def test_a_run_comes_back_as_it_was_written(store: DynamoDBRunRepository) -> None:
    run = added(store, prompt="Grüße 😀")

    assert store.get_run(run.run_id) == run


def test_a_run_that_is_not_there_is_not_found(store: DynamoDBRunRepository) -> None:
    with pytest.raises(NotFound, match="there is no run 'run_x'"):
        store.get_run("run_x")


def test_a_record_is_never_written_over_by_a_new_run(store: DynamoDBRunRepository) -> None:
    run = added(store)
    store.record_creation(run, HANDLE)

    assert store.add_run(run).handle == HANDLE
    assert store.get_run(run.run_id).handle == HANDLE


def test_a_key_stands_for_the_run_that_claimed_it_first(store: DynamoDBRunRepository) -> None:
    first, second = added(store), added(store)

    assert store.claim_idempotency_key("a key", first, "f1").run_id == first.run_id
    found = store.claim_idempotency_key("a key", second, "f2")
    assert (found.run_id, found.fingerprint) == (first.run_id, "f1")


def test_a_created_run_is_in_progress_and_knows_where_it_lives(store: DynamoDBRunRepository) -> None:
    run = added(store)
    store.record_creation(run, HANDLE)

    found = store.get_run(run.run_id)
    assert (found.status, found.handle) == ("in_progress", HANDLE)


def test_a_round_is_in_the_ledger_and_moves_the_record_on(store: DynamoDBRunRepository) -> None:
    run = added(store)
    later = UpstreamRun(run_api="responses", ids={"response_id": "resp_2"})
    store.record_round(run, later, [CALL], [OUTPUT], USED)

    found = store.get_run(run.run_id)
    assert (found.round, found.tool_calls, found.handle, found.usage) == (1, 1, later, USED)
    (entry,) = store.get_ledger(run.run_id)
    assert (entry.round, entry.position, entry.call, entry.output) == (1, 1, CALL, OUTPUT)


def test_the_same_round_is_not_counted_twice(store: DynamoDBRunRepository) -> None:
    run = added(store)
    store.record_round(run, HANDLE, [CALL], [OUTPUT], USED)

    with pytest.raises(RunAlreadyEnded):
        store.record_round(run, HANDLE, [CALL], [OUTPUT], USED)
    assert store.get_run(run.run_id).usage == USED
    assert len(store.get_ledger(run.run_id)) == 1


@pytest.mark.parametrize("size", [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES])
def test_a_message_of_any_size_comes_back_whole(store: DynamoDBRunRepository, size: int) -> None:
    run = added(store)
    text = ("ä😀x" * (size // 7 + 1)).encode()[:size].decode(errors="ignore")
    ended = store.complete_run(run, Message(text=text, usage=USED), datetime.now(UTC))

    assert (ended.status, ended.usage) == ("completed", USED)
    assert ended.ended_at is not None
    assert store.get_message(ended) == text


def test_a_run_without_a_message_has_none(store: DynamoDBRunRepository) -> None:
    assert store.get_message(added(store)) is None


def test_a_failure_is_kept_with_its_words(store: DynamoDBRunRepository) -> None:
    failure = Failure(status="expired", code="expired", message="Too late.")
    ended = store.record_failure(added(store), failure, USED, datetime.now(UTC))

    assert (ended.status, ended.failure, ended.usage) == ("expired", failure, USED)


def test_a_terminal_status_is_written_once(store: DynamoDBRunRepository) -> None:
    run = added(store)
    store.complete_run(run, Message(text="Done."), datetime.now(UTC))

    with pytest.raises(RunAlreadyEnded):
        store.record_failure(run, Failure(code="late", message="Late."), USED, datetime.now(UTC))
    with pytest.raises(RunAlreadyEnded):
        store.record_creation(run, HANDLE)
    with pytest.raises(RunAlreadyEnded):
        store.complete_run(run, Message(text="Again."), datetime.now(UTC))
    assert store.get_run(run.run_id).status == "completed"


def test_runs_are_listed_newest_first_and_by_status(store: DynamoDBRunRepository) -> None:
    runs = [added(store, prompt=f"Number {number}.") for number in range(5)]
    store.complete_run(runs[1], Message(text="Done."), datetime.now(UTC))
    store.record_failure(runs[3], Failure(code="x", message="x"), USED, datetime.now(UTC))

    newest = sorted((run.run_id for run in runs), reverse=True)
    assert [run.run_id for run in store.index.recent()] == newest
    assert [run.excerpt for run in store.index.recent("completed")] == ["Number 1."]
    assert [run.status for run in store.index.recent("failed")] == ["failed"]
    assert len(list(islice(store.index.recent(), 2))) == 2


def test_runs_of_earlier_days_follow_those_of_today(store: DynamoDBRunRepository) -> None:
    today = added(store)
    yesterday = today.model_copy(
        update={"run_id": "run_0", "created_at": datetime.now(UTC) - timedelta(days=1)}
    )
    store.add_run(yesterday)

    assert [run.run_id for run in store.index.recent()] == [today.run_id, "run_0"]


def test_everything_of_a_run_leaves_the_table_on_the_same_day(store: DynamoDBRunRepository) -> None:
    run = added(store)
    store.record_round(run, HANDLE, [CALL], [OUTPUT], USED)
    store.complete_run(store.get_run(run.run_id), Message(text="Done."), datetime.now(UTC))

    items = boto3.client("dynamodb").scan(TableName="store-test")["Items"]
    assert {item["sk"]["S"] for item in items} == {"RUN", "CALL#0001#c1", "MESSAGE#0001"}
    (expires_at,) = {int(item["expires_at"]["N"]) for item in items}
    assert expires_at == int((run.created_at + timedelta(days=30)).timestamp())


def test_a_run_that_moves_on_while_it_is_listed_is_listed_once(store: DynamoDBRunRepository) -> None:
    """Each status has a list of its own, and they are not read at one moment."""
    run = added(store)
    client = boto3.client("dynamodb", region_name="us-east-1")
    moved = threading.Event()

    def move_on(**_: object) -> None:
        if not moved.is_set():
            moved.set()
            store.record_creation(run, HANDLE)

    client.meta.events.register("after-call.dynamodb.Query", move_on)
    listing = DynamoDBRunRepository(Table(client, store._table._name), 30)

    assert [(each.run_id, each.status) for each in listing.index.recent()] == [(run.run_id, "in_progress")]
