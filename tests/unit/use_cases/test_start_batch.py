import json
from collections.abc import Callable
from typing import Any

import pytest
from support.fakes.batch_files import InMemoryBatchFiles
from support.fakes.batch_repository import InMemoryBatchRepository
from support.fakes.clock import START, FakeClock
from support.fakes.workflow import InMemoryBatchWorkflow

from upcall.domain.batch import BatchStatus
from upcall.domain.batch_request import BatchRequest
from upcall.domain.batch_view import BatchView
from upcall.domain.caller import Caller
from upcall.domain.errors import FieldError, IdempotencyKeyConflict, InvalidInput
from upcall.domain.prices import PriceList
from upcall.use_cases.start_batch import start_batch

ANN = Caller("ann", one_tenant=False, person="Ann")
ONE_TENANT = Caller("ann", one_tenant=True)
Start = Callable[..., BatchView]


@pytest.fixture
def start(
    batches: InMemoryBatchRepository,
    files: InMemoryBatchFiles,
    batch_workflow: InMemoryBatchWorkflow,
    clock: FakeClock,
) -> Start:
    def call(key: str | None = None, caller: Caller = ANN, **fields: Any) -> BatchView:
        request = BatchRequest.model_validate(fields or {"inputs": ["a", {"prompt": "b"}]})
        return start_batch(
            request,
            caller,
            key,
            batches=batches,
            files=files,
            workflow=batch_workflow,
            default_model="gpt-5.4-mini",
            prices=PriceList(),
            clock=clock,
        )

    return call


def test_a_batch_is_recorded_and_its_inputs_written_and_then_it_is_started(
    start: Start,
    batches: InMemoryBatchRepository,
    files: InMemoryBatchFiles,
    batch_workflow: InMemoryBatchWorkflow,
) -> None:
    view = start()

    batch = batches.get_batch(view.batch_id)
    assert (batch.status, batch.owner, batch.started_by) == ("validating", "ann", "Ann")
    assert (batch.created_at, batch.lines, batch.input_format) == (START, None, "jsonl")
    written = [json.loads(line) for line in files.objects[batch.input_key].splitlines()]
    assert written == ["a", {"prompt": "b"}]
    assert batch_workflow.executions == {batch.batch_id: "RUNNING"}


def test_the_fields_of_the_request_are_those_of_the_batch(
    start: Start, batches: InMemoryBatchRepository
) -> None:
    view = start(
        caller=ONE_TENANT,
        input_key="in/a.csv",
        input_format="csv",
        prompt_template="Name {{city}}.",
        defaults={"assistant": "summarizer", "temperature": 0.5},
        completion_window="2h",
        concurrency=7,
        tolerated_failures=0.25,
        budget_usd=1.5,
        metadata={"a": "b"},
    )

    batch = batches.get_batch(view.batch_id)
    assert (batch.input_key, batch.input_format) == ("in/a.csv", "csv")
    assert batch.prompt_template == "Name {{city}}."
    assert batch.defaults == {"assistant": "summarizer", "temperature": 0.5, "completion_window": "2h"}
    assert (batch.concurrency, batch.tolerated_failures, batch.budget_usd) == (7, 0.25, 1.5)
    assert batch.metadata == {"a": "b"}


def test_the_same_request_without_a_key_is_another_batch(start: Start) -> None:
    assert start().batch_id != start().batch_id


def test_the_same_request_with_the_same_key_is_the_same_batch(
    start: Start, batch_workflow: InMemoryBatchWorkflow
) -> None:
    assert start("key").batch_id == start("key").batch_id
    assert len(batch_workflow.executions) == 1


def test_another_request_with_the_same_key_is_a_conflict_and_changes_nothing(
    start: Start, files: InMemoryBatchFiles
) -> None:
    start("key", inputs=["a"])
    objects = dict(files.objects)

    with pytest.raises(IdempotencyKeyConflict):
        start("key", inputs=["b"])
    assert files.objects == objects


def test_the_same_key_of_another_owner_is_another_batch(start: Start) -> None:
    assert start("key").batch_id != start("key", Caller("bob", one_tenant=False)).batch_id


def test_a_batch_whose_sender_died_before_its_inputs_were_written_gets_them(
    start: Start,
    files: InMemoryBatchFiles,
    batch_workflow: InMemoryBatchWorkflow,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class DiedError(Exception):
        pass

    def die(*_: object) -> None:
        raise DiedError

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_file", die)
        with pytest.raises(DiedError):
            start("key")
    assert (files.objects, batch_workflow.executions) == ({}, {})

    view = start("key")

    assert list(files.objects) == [view.input_key]
    assert batch_workflow.executions == {view.batch_id: "RUNNING"}


def test_inputs_that_are_copied_already_are_not_written_again(
    start: Start, batches: InMemoryBatchRepository, files: InMemoryBatchFiles
) -> None:
    batches.record_lines(batches.get_batch(start("key").batch_id), 2, START)

    start("key")

    assert len(files.writes) == 1


def test_a_batch_whose_execution_is_lost_gets_another_one(
    start: Start, batch_workflow: InMemoryBatchWorkflow
) -> None:
    """Step Functions does not start a name again whose execution has ended."""
    batch_id = start("key").batch_id
    batch_workflow.stop_batch_execution(batch_id)

    assert start("key").attempt == 2
    assert batch_workflow.executions == {batch_id: "ABORTED", f"{batch_id}-2": "RUNNING"}
    assert start("key").attempt == 2


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_a_batch_that_has_ended_is_returned_and_not_started_again(
    start: Start,
    batches: InMemoryBatchRepository,
    batch_workflow: InMemoryBatchWorkflow,
    status: BatchStatus,
) -> None:
    batch_id = start("key").batch_id
    batches.end_batch(batches.get_batch(batch_id), status, 1, START)
    batch_workflow.stop_batch_execution(batch_id)

    view = start("key")

    assert (view.status, view.results_url) == (status, f"/batches/{batch_id}/results")
    assert batch_workflow.executions == {batch_id: "ABORTED"}


def test_an_assistant_that_does_not_exist_is_rejected(start: Start, files: InMemoryBatchFiles) -> None:
    with pytest.raises(InvalidInput) as caught:
        start(inputs=["a"], defaults={"assistant": "nobody"})

    (error,) = caught.value.errors
    assert error.field == "defaults.assistant"
    assert "nobody" in error.reason
    assert files.objects == {}


def test_an_object_of_the_bucket_is_for_stacks_with_one_tenant(start: Start) -> None:
    """It might be another caller's: the results of a batch are in the same bucket."""
    with pytest.raises(InvalidInput) as caught:
        start(input_key="batch_of_bob/results/00001.jsonl")
    assert caught.value.errors == (
        FieldError("input_key", "is only for stacks with one tenant; send the inputs themselves"),
    )

    assert start(caller=ONE_TENANT, input_key="a").input_key == "a"


def test_a_budget_needs_the_price_of_the_model(start: Start) -> None:
    with pytest.raises(InvalidInput, match="budget_usd: no price is known for the model 'my-model'"):
        start(inputs=["one"], budget_usd=1, defaults={"model": "my-model"})
