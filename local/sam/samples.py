"""A laptop cloud that holds what the samples in `events/` speak of, for functions in SAM's containers.

It starts empty, answers where `events/env.json` says, and counts what the model makes from 1 on, so that
the ids of the samples are true.
"""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from local import sample_pages
from local.config import ROOT, STATE_FOLDER, Profile
from local.sam.docker import gateways
from local.stack import LocalStack
from upcall.aws.dynamodb import Table
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.caller import ANYBODY
from upcall.domain.run import Run

PAGES_PORT, AWS_PORT, OPENAI_PORT = 8780, 8782, 8783
"""As in `events/env.json`."""

OBJECT = "tides.html"


def for_containers(profile: Profile) -> Profile:
    """The profile of a fresh cloud that containers reach where they look for it. Raises NoDocker."""
    also_on = gateways()
    state = STATE_FOLDER / "samples"
    shutil.rmtree(state, ignore_errors=True)
    return replace(profile, state_folder=state, openai_port=OPENAI_PORT, also_on=also_on, first_turn=1)


def sample(name: str) -> dict[str, Any]:
    """The sample event of that name."""
    event: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text("utf-8"))
    return event


def hold_run(cloud: LocalStack) -> None:
    """Put the samples' run into the table, as a new one, in place of what became of it."""
    run_id = sample("create_run")["run_id"]
    table, dynamodb = cloud.stack.table, cloud.stack.dynamodb
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
    DynamoDBRunRepository(Table(dynamodb, table), 30).add_run(run.model_copy(update={"run_id": run_id}))


def hold_object(cloud: LocalStack) -> None:
    """Put the samples' object into the inbox bucket, which starts a run on it as well."""
    import boto3

    key = json.loads(sample("read_object")["arguments"])["key"]
    body = (sample_pages.FOLDER / OBJECT).read_bytes()
    boto3.client("s3").put_object(Bucket=cloud.stack.inbox, Key=key, Body=body, ContentType="text/html")


def hold_all(cloud: LocalStack) -> None:
    """Make every sample true, whichever comes first: the run has a round behind it, and a message ahead."""
    hold_run(cloud)
    for function in ("create_run", "submit_tool_outputs"):
        camel = "".join(word.capitalize() for word in function.split("_"))
        name = cloud.stack.functions[f"{camel}Function"].name
        result = cloud.runner.invoke(name, json.dumps(sample(function)))
        if result.is_error:
            raise RuntimeError(f"events/{function}.json is not true of this cloud: {result.payload}")
    hold_object(cloud)
