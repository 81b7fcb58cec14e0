"""Whole batches on a local stack, from the request to the last of their results."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import httpx

from local.stack import LocalStack
from support.batch_records import new_batch
from support.runs import Runs
from support.waiting import wait_until
from upcall.aws.batch_repository import DynamoDBBatchRepository
from upcall.aws.dynamodb import Table
from upcall.aws.step_functions import execution_arn
from upcall.domain.batch import TERMINAL_BATCH_STATUSES, Batch, new_batch_id
from upcall.domain.caller import ANYBODY


class Batches:
    """Starts batches over HTTP, waits for them, and reads what they leave in the table and in their bucket."""

    def __init__(self, local_stack: LocalStack, runs: Runs) -> None:
        self._local_stack = local_stack
        self._http = runs.http
        self._s3 = boto3.client("s3")
        self._workflows = boto3.client("stepfunctions")
        table = Table(local_stack.deployed.dynamodb, local_stack.deployed.table)
        self.repository = DynamoDBBatchRepository(table, retention_days=30)

    def record(self, inputs: Sequence[Any], age: timedelta = timedelta(0)) -> Batch:
        """A batch that was created some time ago with these inputs. No execution works on it."""
        created_at = datetime.now(UTC) - age
        batch_id = new_batch_id(created_at)
        batch = new_batch(
            batch_id=batch_id,
            owner=ANYBODY,
            input_key=f"{batch_id}/request.jsonl",
            concurrency=1,
            created_at=created_at,
        )
        content = "".join(f"{json.dumps(each)}\n" for each in inputs)
        bucket = self._local_stack.deployed.batch_bucket
        self._s3.put_object(Bucket=bucket, Key=batch.input_key, Body=content.encode())
        return self.repository.add_batch(batch)

    def post(self, inputs: Sequence[Any], *, key: str | None = None, **fields: Any) -> httpx.Response:
        """POST /batches."""
        headers = {"Idempotency-Key": key} if key else {}
        return self._http.post("/batches", json={"inputs": inputs, **fields}, headers=headers)

    def start(self, inputs: Sequence[Any], *, key: str | None = None, **fields: Any) -> str:
        """Start a batch. Returns its id."""
        response = self.post(inputs, key=key, **fields)
        assert response.status_code == 202, response.text
        batch_id: str = response.json()["batch_id"]
        return batch_id

    def get(self, batch_id: str) -> dict[str, Any]:
        """GET /batches/{batch_id}."""
        view: dict[str, Any] = self._http.get(f"/batches/{batch_id}").json()
        return view

    def cancel(self, batch_id: str) -> httpx.Response:
        """POST /batches/{batch_id}/cancel."""
        return self._http.post(f"/batches/{batch_id}/cancel")

    def lose_execution(self, inputs: Sequence[Any], age: timedelta) -> str:
        """The id of a batch with a run under way, whose execution somebody has stopped."""
        batch = self.record(inputs, age)
        self._workflows.start_execution(
            stateMachineArn=self._local_stack.endpoints.batch_state_machine,
            name=batch.execution_name,
            input=json.dumps({"batch_id": batch.batch_id, "attempt": batch.attempt}),
        )
        self.wait_for_runs(batch.batch_id, 1)
        self.stop_execution(batch.batch_id)
        return batch.batch_id

    def stop_execution(self, batch_id: str) -> None:
        """Stop the first execution of a batch, which the batch knows nothing of, and wait until it has ended."""
        arn = execution_arn(self._local_stack.endpoints.batch_state_machine, batch_id)
        self._workflows.stop_execution(executionArn=arn)
        wait_until(
            lambda: self._workflows.describe_execution(executionArn=arn)["status"] == "ABORTED",
            f"the end of the execution of {batch_id}",
        )

    def wait_for_runs(self, batch_id: str, count: int) -> None:
        """Wait until so many runs of a batch are under way."""
        wait_until(lambda: self.get(batch_id)["under_way"] == count, f"{count} runs of {batch_id}")

    def wait_for_end(self, batch_id: str) -> dict[str, Any]:
        """The view of a batch, once it has ended."""
        wait_until(lambda: self.get(batch_id)["status"] in TERMINAL_BATCH_STATUSES, f"the end of {batch_id}")
        return self.get(batch_id)

    def results(self, batch_id: str, urls: str = "url") -> list[dict[str, Any]]:
        """The results of a batch, line by line; with `urls="failures_url"`, those without a message."""
        files = self._http.get(f"/batches/{batch_id}/results").json()["files"]
        text = "".join(httpx.get(file[urls]).text for file in files if file.get(urls))
        return [json.loads(line) for line in text.splitlines()]

    def manifest(self, batch_id: str) -> dict[str, Any]:
        """The manifest of a batch."""
        content: dict[str, Any] = json.loads(self.read_object(f"{batch_id}/manifest.json"))
        return content

    def read_object(self, key: str) -> bytes:
        """An object of the bucket for batches."""
        found = self._s3.get_object(Bucket=self._local_stack.deployed.batch_bucket, Key=key)
        return found["Body"].read()
