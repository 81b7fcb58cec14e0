"""A handler of batches may be killed at any of its requests. What it does is done once all the same.

As in `test_functions_killed_at_every_request.py`.
"""

import gc
import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from support import templates
from support.batches import Batches
from support.event_listener import EventListener
from support.kill_handlers import HandlerKiller
from support.sample_events import sample_event
from support.waiting import wait_until

from local.openai_emulator import Hang, Say
from local.stack import LocalStack
from upcall.aws import batch_files
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.batch import Batch, LineSource
from upcall.domain.run import Run
from upcall.use_cases.sweep_batches import MIN_AGE

SAMPLE_BATCH: str = sample_event("prepare_batch")["batch_id"]

pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"  # killed handlers leave connections open
)


@dataclass
class KillingStack:
    """A local stack whose handlers of batches are killed."""

    local_stack: LocalStack
    killer: HandlerKiller
    batches: Batches
    repository: DynamoDBRunRepository

    def prepare_batch(self, inputs: Sequence[Any]) -> Batch:
        """A batch whose lines are counted."""
        batch = self.batches.record(inputs)
        self.killer.invoke("PrepareBatchFunction", {"batch_id": batch.batch_id})
        return batch

    def sources(self, batch: Batch) -> list[dict[str, str]]:
        """Where the lines of a batch lie, as a Map state passes them on."""
        header, *rows = self.batches.read_object(batch.index_key).decode().splitlines()
        return [dict(zip(header.split(","), row.split(","), strict=True)) for row in rows]

    def start_line(self, batch: Batch, number: int = 1) -> Run:
        """The run of a line, which is started."""
        source = self.sources(batch)[number - 1]
        event = {"batch_id": batch.batch_id, "attempt": 1, "source": source, "task_token": "token"}
        self.killer.invoke("StartBatchRunFunction", event)
        return self.repository.get_run(batch.run_id(number))

    def wait_for_line(self, batch: Batch, number: int = 1) -> Run:
        """The run of a line, once the line has ended."""

        def has_ended() -> bool:
            (line,) = self.batches.repository.list_lines(batch.batch_id, number, number)
            return line.end is not None

        wait_until(has_ended, f"the end of line {number} of {batch.batch_id}")
        return self.repository.get_run(batch.run_id(number))

    def turn_phases(self, model: str) -> list[str]:
        """The phase of each turn of a model."""
        return [turn.phase for turn in self.local_stack.emulator.models.started_turns.get(model, [])]


@pytest.fixture(scope="module", autouse=True)
def _close_connections() -> Iterator[None]:
    """Close the connections that killed handlers leave open: later, they would be a warning in another module."""
    yield
    gc.collect()


@pytest.fixture
def stack(local_stack: LocalStack, batches: Batches, repository: DynamoDBRunRepository) -> KillingStack:
    return KillingStack(local_stack, HandlerKiller(local_stack), batches, repository)


def test_start_batch(stack: KillingStack) -> None:
    """The caller repeats the request with the same key: one batch, whose line is run once."""

    def make() -> tuple[str, dict[str, Any]]:
        model = stack.local_stack.emulator.script(Say("Done."))
        body = json.dumps({"inputs": ["Go."], "defaults": {"model": model}})
        event = sample_event("start_batch", body=body)
        event["headers"]["idempotency-key"] = uuid.uuid4().hex
        return model, event

    def start(made: tuple[str, dict[str, Any]]) -> str:
        response = stack.killer.invoke("StartBatchFunction", made[1])
        assert response["statusCode"] == 202
        batch_id: str = json.loads(response["body"])["batch_id"]
        return batch_id

    for made in stack.killer.kill_and_repeat(make, start):
        batch_id = start(made)
        assert stack.batches.wait_for_end(batch_id)["status"] == "completed"
        assert [each["message"] for each in stack.batches.results(batch_id)] == ["Done."]
        assert stack.turn_phases(made[0]) == ["done"]
    assert stack.killer.kills >= 3


def test_prepare_batch(stack: KillingStack) -> None:
    """The workflow invokes it again: the lines are counted once, and lie where the index says."""
    batch = stack.batches.record(["One.", {"prompt": "Two."}])

    result = stack.killer.kill_at_each_request("PrepareBatchFunction", {"batch_id": batch.batch_id})

    assert (result["status"], result["lines"]) == ("in_progress", 2)
    assert stack.killer.kills >= 5
    content = stack.batches.read_object(batch.inputs_key)
    sources = [LineSource.model_validate(each) for each in stack.sources(batch)]
    lines = [json.loads(content[each.offset : each.offset + each.length]) for each in sources]
    assert lines == ["One.", {"prompt": "Two."}]


def test_start_batch_run(stack: KillingStack) -> None:
    """The workflow invokes it again, with another token: one run, whose end completes the newest task."""
    model = stack.local_stack.emulator.script(Say("Done.", after_seconds=2))
    batch = stack.prepare_batch([{"prompt": "Go.", "model": model}])
    source = stack.sources(batch)[0]
    event = {"batch_id": batch.batch_id, "attempt": 1, "source": source, "task_token": "first"}
    assert stack.killer.kill_at_each_request("StartBatchRunFunction", event) == {}

    assert stack.killer.invoke("StartBatchRunFunction", event | {"task_token": "second"}) == {}

    (line,) = stack.batches.repository.list_lines(batch.batch_id, 1, 1)
    assert line.task_token == "second"  # noqa: S105  # of a test
    assert stack.wait_for_line(batch).status == "completed"
    assert stack.turn_phases(model) == ["done"]
    assert stack.batches.repository.get_counts(batch.batch_id).completed == 1
    assert stack.killer.kills >= 5


def test_cancel_batch(stack: KillingStack) -> None:
    """The caller repeats the request: one execution cancels the run and writes the results."""

    def make() -> tuple[str, str]:
        model = stack.local_stack.emulator.script(Hang())
        batch_id = stack.batches.start(["Go.", "Go."], concurrency=1, defaults={"model": model})
        stack.batches.wait_for_runs(batch_id, 1)
        return batch_id, model

    def cancel(made: tuple[str, str]) -> None:
        event = json.loads(json.dumps(sample_event("cancel_batch")).replace(SAMPLE_BATCH, made[0]))
        assert stack.killer.invoke("CancelBatchFunction", event)["statusCode"] in (200, 409)

    for batch_id, model in stack.killer.kill_and_repeat(make, cancel):
        ended = stack.batches.wait_for_end(batch_id)
        assert (ended["status"], ended["counts"]["cancelled"]) == ("cancelled", 2)
        assert "done" not in stack.turn_phases(model)
        assert "started" not in stack.turn_phases(model)
    assert stack.killer.kills >= 4


def test_sweep_batches(stack: KillingStack) -> None:
    """The next sweep finds what is left: a batch that was never started, and one whose execution was stopped."""

    def make() -> tuple[str, str]:
        script = stack.local_stack.emulator.script
        lost = stack.batches.record([{"prompt": "Go.", "model": script(Say("Done."))}], age=2 * MIN_AGE)
        hanging = [{"prompt": "Go.", "model": script(Hang())}]
        return lost.batch_id, stack.batches.lose_execution(hanging, age=2 * MIN_AGE)

    def sweep(_: object) -> None:
        stack.killer.invoke("SweepBatchesFunction", sample_event("sweep_batches"))

    for lost, stopped in stack.killer.kill_and_repeat(make, sweep, ignored_target="DynamoDB_20120810.Query"):
        assert stack.batches.wait_for_end(lost)["counts"]["completed"] == 1
        ended = stack.batches.wait_for_end(stopped)
        assert (ended["status"], ended["failure"]["code"]) == ("cancelled", "execution_aborted")
    assert stack.killer.kills >= 3


def test_cancel_batch_runs(stack: KillingStack) -> None:
    """The workflow invokes it again: the run is cancelled here and upstream, and its line has ended."""

    def make() -> tuple[Batch, str]:
        model = stack.local_stack.emulator.script(Hang())
        batch = stack.prepare_batch([{"prompt": "Go.", "model": model}])
        run = stack.start_line(batch)
        wait_until(lambda: stack.repository.get_run(run.run_id).upstream_run, "the run upstream")
        return batch, model

    def cancel(made: tuple[Batch, str]) -> None:
        result = stack.killer.invoke("CancelBatchRunsFunction", {"batch_id": made[0].batch_id})
        assert result["more"] is False

    for batch, model in stack.killer.kill_and_repeat(make, cancel):
        assert stack.wait_for_line(batch).status == "cancelled"
        assert stack.turn_phases(model) == ["cancelled"]
        assert stack.batches.repository.get_counts(batch.batch_id).cancelled == 1
    assert stack.killer.kills >= 5


def test_write_batch_results(stack: KillingStack, event_listener: EventListener) -> None:
    """The workflow invokes it again: one result for each line, and lines that were not started are not any more."""
    model = stack.local_stack.emulator.script(Say("Done."))
    batch = stack.prepare_batch([{"prompt": "Go.", "model": model}, "Never."])
    stack.start_line(batch)
    stack.wait_for_line(batch)

    written = stack.killer.kill_at_each_request("WriteBatchResultsFunction", {"batch_id": batch.batch_id})

    assert (written["done"], written["status"]) == (True, "completed")
    assert stack.killer.kills >= 8
    results = stack.batches.results(batch.batch_id)
    assert [(each["line"], each["status"]) for each in results] == [(1, "completed"), (2, "failed")]
    counts = stack.batches.repository.get_counts(batch.batch_id)
    assert (counts.completed, counts.failed) == (1, 1)
    events = event_listener.wait_for_events(batch.batch_id)
    assert {each["detail-type"] for each in events} == {"Batch Completed"}
    assert len(events) <= 2, "twice because it was killed before it had recorded the end of the batch"


@pytest.mark.parametrize("handler", ["list_batches", "get_batch", "get_batch_results"])
def test_a_handler_that_only_reads_returns_the_same_again(
    stack: KillingStack, handler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """URLs are not signed here: a signature has the second in which it was made."""
    monkeypatch.setattr(batch_files, "presign_url", lambda key, seconds: f"https://bucket/{key}?{seconds}")
    model = stack.local_stack.emulator.script(Say("Done."))
    batch_id = stack.batches.start(["Go."], defaults={"model": model})
    stack.batches.wait_for_end(batch_id)
    before = stack.batches.repository.get_batch(batch_id)
    event = json.loads(json.dumps(sample_event(handler)).replace(SAMPLE_BATCH, batch_id))

    response = stack.killer.kill_at_each_request(templates.function_id(handler), event)

    assert response["statusCode"] == 200
    assert stack.batches.repository.get_batch(batch_id) == before
