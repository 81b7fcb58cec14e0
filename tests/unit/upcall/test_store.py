"""The table, on moto, with the key schema of the template."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

import boto3
import pytest

from local.cloud import LaptopCloud
from upcall.errors import NotFound, RunEnded
from upcall.models import Failure, Handle, Message, ToolCall, ToolOutput, Usage
from upcall.run import Run
from upcall.store import PART_BYTES, RunStore
from upcall.table import Table

HANDLE = Handle(run_api="responses", ids={"response_id": "resp_1"})
USED = Usage(input_tokens=1, output_tokens=2, total_tokens=3)
CALL = ToolCall(call_id="c1", name="fetch", arguments='{"url": "x"}')
OUTPUT = ToolOutput(call_id="c1", outcome="ok", output="ä😀", duration_ms=12)


@pytest.fixture
def store(laptop: LaptopCloud) -> Iterator[RunStore]:
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
    yield RunStore(Table(client, name), 30)
    client.delete_table(TableName=name)


def added(store: RunStore, prompt: str = "Go.") -> Run:
    run = Run.new(prompt=prompt, assistant="summarizer", model="m", run_api="responses")
    store.add(run)
    return run


def test_a_run_comes_back_as_it_was_written(store: RunStore) -> None:
    run = added(store, prompt="Grüße 😀")

    assert store.get(run.run_id) == run


def test_a_run_that_is_not_there_is_not_found(store: RunStore) -> None:
    with pytest.raises(NotFound, match="there is no run 'run_x'"):
        store.get("run_x")


def test_a_record_is_never_written_over_by_a_new_run(store: RunStore) -> None:
    run = added(store)
    store.created(run, HANDLE)

    assert store.add(run).handle == HANDLE
    assert store.get(run.run_id).handle == HANDLE


def test_a_key_stands_for_the_run_that_claimed_it_first(store: RunStore) -> None:
    first, second = added(store), added(store)

    assert store.claim("a key", first, "f1").run_id == first.run_id
    found = store.claim("a key", second, "f2")
    assert (found.run_id, found.fingerprint) == (first.run_id, "f1")


def test_a_created_run_is_in_progress_and_knows_where_it_lives(store: RunStore) -> None:
    run = added(store)
    store.created(run, HANDLE)

    found = store.get(run.run_id)
    assert (found.status, found.handle) == ("in_progress", HANDLE)


def test_a_round_is_in_the_ledger_and_moves_the_record_on(store: RunStore) -> None:
    run = added(store)
    later = Handle(run_api="responses", ids={"response_id": "resp_2"})
    store.round_done(run, later, [CALL], [OUTPUT], USED)

    found = store.get(run.run_id)
    assert (found.round, found.tool_calls, found.handle, found.usage) == (1, 1, later, USED)
    (entry,) = store.ledger(run.run_id)
    assert (entry.round, entry.position, entry.call, entry.output) == (1, 1, CALL, OUTPUT)


def test_the_same_round_is_not_counted_twice(store: RunStore) -> None:
    run = added(store)
    store.round_done(run, HANDLE, [CALL], [OUTPUT], USED)

    with pytest.raises(RunEnded):
        store.round_done(run, HANDLE, [CALL], [OUTPUT], USED)
    assert store.get(run.run_id).usage == USED
    assert len(store.ledger(run.run_id)) == 1


@pytest.mark.parametrize("size", [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES])
def test_a_message_of_any_size_comes_back_whole(store: RunStore, size: int) -> None:
    run = added(store)
    text = ("ä😀x" * (size // 7 + 1)).encode()[:size].decode(errors="ignore")
    ended = store.completed(run, Message(text=text, usage=USED))

    assert (ended.status, ended.usage) == ("completed", USED)
    assert ended.ended_at is not None
    assert store.message(ended) == text


def test_a_run_without_a_message_has_none(store: RunStore) -> None:
    assert store.message(added(store)) is None


def test_a_failure_is_kept_with_its_words(store: RunStore) -> None:
    failure = Failure(status="expired", code="expired", message="Too late.")
    ended = store.failed(added(store), failure, USED)

    assert (ended.status, ended.failure, ended.usage) == ("expired", failure, USED)


def test_a_terminal_status_is_written_once(store: RunStore) -> None:
    run = added(store)
    store.completed(run, Message(text="Done."))

    with pytest.raises(RunEnded):
        store.failed(run, Failure(code="late", message="Late."), USED)
    with pytest.raises(RunEnded):
        store.created(run, HANDLE)
    with pytest.raises(RunEnded):
        store.completed(run, Message(text="Again."))
    assert store.get(run.run_id).status == "completed"


def test_runs_are_listed_newest_first_and_by_status(store: RunStore) -> None:
    runs = [added(store, prompt=f"Number {number}.") for number in range(5)]
    store.completed(runs[1], Message(text="Done."))
    store.failed(runs[3], Failure(code="x", message="x"), USED)

    newest = sorted((run.run_id for run in runs), reverse=True)
    assert [run.run_id for run in store.index.recent()] == newest
    assert [run.excerpt for run in store.index.recent("completed")] == ["Number 1."]
    assert [run.status for run in store.index.recent("failed")] == ["failed"]
    assert len(list(islice(store.index.recent(), 2))) == 2


def test_runs_of_earlier_days_follow_those_of_today(store: RunStore) -> None:
    today = added(store)
    yesterday = today.model_copy(
        update={"run_id": "run_0", "created_at": datetime.now(UTC) - timedelta(days=1)}
    )
    store.add(yesterday)

    assert [run.run_id for run in store.index.recent()] == [today.run_id, "run_0"]


def test_everything_of_a_run_leaves_the_table_on_the_same_day(store: RunStore) -> None:
    run = added(store)
    store.round_done(run, HANDLE, [CALL], [OUTPUT], USED)
    store.completed(store.get(run.run_id), Message(text="Done."))

    items = boto3.client("dynamodb").scan(TableName="store-test")["Items"]
    assert {item["sk"]["S"] for item in items} == {"RUN", "CALL#0001#c1", "MESSAGE#0001"}
    (expires_at,) = {int(item["expires_at"]["N"]) for item in items}
    assert expires_at == int((run.created_at + timedelta(days=30)).timestamp())


def test_a_run_that_moves_on_while_it_is_listed_is_listed_once(store: RunStore) -> None:
    """Each status has a list of its own, and they are not read at one moment."""
    run = added(store)
    client = boto3.client("dynamodb", region_name="us-east-1")
    moved = threading.Event()

    def move_on(**_: object) -> None:
        if not moved.is_set():
            moved.set()
            store.created(run, HANDLE)

    client.meta.events.register("after-call.dynamodb.Query", move_on)
    listing = RunStore(Table(client, store._table._name), 30)

    assert [(each.run_id, each.status) for each in listing.index.recent()] == [(run.run_id, "in_progress")]
