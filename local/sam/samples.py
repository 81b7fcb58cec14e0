"""A local stack with the data of the sample events in `events/`, for functions in SAM's containers.

It starts empty, listens at the addresses in `events/env.json`, and numbers the ids of the emulator from 1 on,
as they are in the sample events.
"""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from local import sample_pages
from local.config import ROOT, STATE_FOLDER, LocalStackConfig
from local.sam.docker import gateway_addresses
from local.stack import LocalStack
from upcall.aws.batch_repository import DynamoDBBatchRepository
from upcall.aws.dynamodb import Table
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.batch import Batch
from upcall.domain.caller import ANYBODY
from upcall.domain.open_calls import OpenCall
from upcall.domain.run import Run
from upcall.domain.tool_calls import ToolCall

PAGES_PORT, AWS_PORT, OPENAI_PORT = 8780, 8782, 8783
"""As in `events/env.json`."""

PAGE = "tides.html"


def config_for_containers(config: LocalStackConfig) -> LocalStackConfig:
    """The configuration of an empty local stack that containers can reach. Raises NoDocker."""
    extra_addresses = gateway_addresses()
    state_folder = STATE_FOLDER / "samples"
    shutil.rmtree(state_folder, ignore_errors=True)
    return replace(
        config,
        state_folder=state_folder,
        openai_port=OPENAI_PORT,
        extra_addresses=extra_addresses,
        first_turn=1,
    )


def sample(name: str) -> dict[str, Any]:
    """The sample event of that name."""
    event: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text("utf-8"))
    return event


def put_sample_run(stack: LocalStack) -> None:
    """Put the run of the sample events into the table, as a new run. Everything else of it is deleted."""
    run_id = sample("create_run")["run_id"]
    table, dynamodb = stack.deployed.table, stack.deployed.dynamodb
    for page in dynamodb.get_paginator("scan").paginate(TableName=table):
        for item in page["Items"]:
            if run_id in item["pk"].get("S", ""):
                dynamodb.delete_item(TableName=table, Key={"pk": item["pk"], "sk": item["sk"]})
    prompt = json.loads(sample("start_run")["body"])["prompt"]
    run = Run.new(
        owner=ANYBODY,
        prompt=prompt,
        assistant="summarizer",
        model="gpt-5.4-mini",
        run_api="responses",
        created_at=datetime.now(UTC),
    )
    repository_of(stack).add_run(run.model_copy(update={"run_id": run_id}))


def put_sample_open_calls(stack: LocalStack) -> None:
    """Put the run of the sample events into the table with two calls that wait: an approval and an output."""
    put_sample_run(stack)
    event = sample("wait_for_answer")
    call = ToolCall.model_validate(event["call"])
    call_id = json.loads(sample("receive_tool_outputs")["body"])["outputs"][0]["call_id"]
    now = datetime.now(UTC)
    approval = OpenCall(
        round=event["round"],
        position=event["position"],
        call=call,
        waits_for="approval",
        max_output_bytes=event["max_output_bytes"],
        since=now,
        until=now + timedelta(days=1),
        task_token=event["task_token"],
    )
    output = {"position": 2, "waits_for": "output", "call": call.model_copy(update={"call_id": call_id})}
    repository = repository_of(stack)
    for open_call in (approval, approval.model_copy(update=output)):
        repository.open_call(repository.get_run(event["run_id"]), open_call)


def put_sample_batch(stack: LocalStack) -> None:
    """Put the batch of the sample events into the table, as a new batch with one line, and its inputs.

    Everything else of it is deleted.
    """
    import boto3

    batch_id = sample("prepare_batch")["batch_id"]
    table, dynamodb = stack.deployed.table, stack.deployed.dynamodb
    for page in dynamodb.get_paginator("scan").paginate(TableName=table):
        for item in page["Items"]:
            if batch_id in item["pk"]["S"] or batch_id in item["sk"]["S"]:
                dynamodb.delete_item(TableName=table, Key={"pk": item["pk"], "sk": item["sk"]})
    (prompt,) = json.loads(sample("start_batch")["body"])["inputs"]
    batch = Batch(
        batch_id=batch_id,
        status="validating",
        owner=ANYBODY,
        input_key=f"{batch_id}/request.jsonl",
        input_format="jsonl",
        concurrency=1,
        created_at=datetime.now(UTC),
    )
    DynamoDBBatchRepository(Table(dynamodb, table), retention_days=30).add_batch(batch)
    for key in (batch.input_key, batch.inputs_key):
        boto3.client("s3").put_object(
            Bucket=stack.deployed.batch_bucket, Key=key, Body=json.dumps(prompt).encode()
        )


def repository_of(stack: LocalStack) -> DynamoDBRunRepository:
    """The repository of a stack's runs."""
    return DynamoDBRunRepository(Table(stack.deployed.dynamodb, stack.deployed.table), retention_days=30)


def put_sample_object(stack: LocalStack) -> None:
    """Put the object of the sample events into the inbox bucket. This also starts a run."""
    import boto3

    key = json.loads(sample("read_object")["arguments"])["key"]
    body = (sample_pages.FOLDER / PAGE).read_bytes()
    boto3.client("s3").put_object(Bucket=stack.deployed.inbox, Key=key, Body=body, ContentType="text/html")


def prepare_all_samples(stack: LocalStack) -> None:
    """Prepare the stack for all sample events, in any order. The run of the samples waits for its message."""
    put_sample_run(stack)
    for function in ("create_run", "submit_tool_outputs"):
        camel = "".join(word.capitalize() for word in function.split("_"))
        name = stack.deployed.functions[f"{camel}Function"].name
        result = stack.runner.invoke(name, json.dumps(sample(function)))
        if result.is_error:
            raise RuntimeError(f"the function failed for events/{function}.json: {result.payload}")
    put_sample_object(stack)
