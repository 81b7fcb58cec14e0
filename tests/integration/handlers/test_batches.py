"""The functions of batches, one after the other, with their sample events."""

import json
from typing import Any

import boto3
import pytest
from support.sample_events import Invoke, sample_event

from local.sam.samples import put_sample_batch
from local.stack import LocalStack

BATCH = sample_event("prepare_batch")["batch_id"]


@pytest.fixture(autouse=True)
def _sample_batch(local_stack: LocalStack) -> None:
    put_sample_batch(local_stack)


def body_of(response: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(response["body"])
    return document


def test_a_batch_goes_from_its_inputs_to_its_results(invoke: Invoke) -> None:
    prepared = invoke("PrepareBatchFunction", sample_event("prepare_batch"))
    assert (prepared["status"], prepared["lines"], prepared["concurrency"]) == ("in_progress", 1, 1)

    assert invoke("StartBatchRunFunction", sample_event("start_batch_run")) == {}
    assert invoke("StartBatchRunFunction", sample_event("start_batch_run")) == {}
    view = body_of(invoke("GetBatchFunction", sample_event("get_batch")))
    assert (view["lines"], view["under_way"], view["waiting"]) == (1, 1, 0)
    assert invoke("GetBatchResultsFunction", sample_event("get_batch_results"))["statusCode"] == 404

    cancelled = invoke("CancelBatchRunsFunction", sample_event("cancel_batch_runs"))
    assert cancelled == {"cancelled": 1, "more": False}
    written = invoke("WriteBatchResultsFunction", sample_event("write_batch_results"))
    assert (written["done"], written["status"]) == (True, "completed")

    results = body_of(invoke("GetBatchResultsFunction", sample_event("get_batch_results")))
    (file,) = results["files"]
    assert (file["first_line"], file["lines"], file["failures"]) == (1, 1, 1)
    again = invoke("CancelBatchFunction", sample_event("cancel_batch"))
    assert again["statusCode"] == 409


def test_a_prepared_batch_stays_as_it_is(invoke: Invoke, local_stack: LocalStack) -> None:
    first = invoke("PrepareBatchFunction", sample_event("prepare_batch"))
    boto3.client("s3").put_object(
        Bucket=local_stack.deployed.batch_bucket, Key=f"{BATCH}/request.jsonl", Body=b'"one"\n"two"\n'
    )

    assert invoke("PrepareBatchFunction", sample_event("prepare_batch")) == first


def test_a_batch_that_is_cancelled_has_another_execution_that_ends_it(invoke: Invoke) -> None:
    response = invoke("CancelBatchFunction", sample_event("cancel_batch"))

    assert (response["statusCode"], body_of(response)["status"]) == (200, "cancelling")
    assert body_of(response)["attempt"] == 2


def test_a_batch_is_accepted_before_anything_else_happens(invoke: Invoke) -> None:
    response = invoke("StartBatchFunction", sample_event("start_batch"))

    assert response["statusCode"] == 202
    assert response["headers"]["Location"] == f"/batches/{body_of(response)['batch_id']}"
