"""Each function may do what it does, and nothing else: its role beside what it asks AWS for.

moto lets everybody do everything, so a right that is missing would show on AWS first. Here whole runs
are driven through every turn that asks for something, and what was asked for is held against the roles.
"""

import json
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from support.canned_server import canned
from support.runs import Runs
from support.sample_events import Invoke, sample
from support.used_permissions import UsedRights
from werkzeug.wrappers import Response

from local.config import CALLBACK_SECRET, ROOT
from local.openai_emulator import (
    Call,
    CallTools,
    Fail,
    Hang,
    Say,
)
from local.stack import LocalStack
from local.template import Template
from upcall.aws.dynamodb import Table
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.caller import ANYBODY
from upcall.domain.events import RunEndedEvent
from upcall.domain.failure import Failure
from upcall.domain.run import Run
from upcall.domain.usage import Usage

RESOURCES: dict[str, Any] = Template(ROOT).transformed["Resources"]
FUNCTIONS = [name for name, each in RESOURCES.items() if each["Type"] == "AWS::Lambda::Function"]

SECRET = "secretsmanager:GetSecretValue"  # noqa: S105  # a right

SPARE = {"NotifyFunction": {"dynamodb:GetItem"}}
"""Powertools' Idempotency reads a note where DynamoDB has refused to write one without showing it."""


def granted(function: str) -> set[str]:
    """What a function's role allows besides logs, traces and the reading of the queue that feeds it."""
    ((_, (role, _)),) = RESOURCES[function]["Properties"]["Role"].items()
    found: set[str] = set()
    for policy in RESOURCES[role]["Properties"].get("Policies", []):
        statement = policy["PolicyDocument"]["Statement"]
        for each in statement if isinstance(statement, list) else [statement]:
            actions = each["Action"]
            found |= {a.rstrip("*") for a in (actions if isinstance(actions, list) else [actions])}
    return found


def records(name: str, *bodies: str, **attributes: str) -> dict[str, Any]:
    """The sample's event with other messages."""
    (record,) = sample(name)["Records"]
    record = {**record, "attributes": {**record["attributes"], **attributes}}
    return {"Records": [{**record, "messageId": uuid.uuid4().hex, "body": body} for body in bodies]}


@pytest.fixture(scope="module")
def every_turn(laptop: LocalStack, invoke: Invoke) -> None:
    """Runs that complete, fail, are tried again, cancelled, closed, swept, called back; and what is not read."""
    runs, brain = Runs(laptop), laptop.emulator.brain
    store = DynamoDBRunRepository(Table(laptop.stack.dynamodb, laptop.stack.table), 30)
    fetch = CallTools((Call.of("fetch", url=f"{laptop.addresses.pages}/tides"),))
    key = f"{uuid.uuid4()}.txt"
    boto3.client("s3").put_object(
        Bucket=laptop.stack.inbox, Key=key, Body="It was quiet.", ContentType="text/plain"
    )

    model = brain.script(
        fetch, CallTools((Call.of("read_object", key=key),)), Fail("server_error", "It broke.")
    )
    run_id = runs.run("Go.", model=model).run["run_id"]
    brain.rewrite(model, fetch, fetch, Say("Done."))
    runs.http.post(f"/runs/{run_id}/retry")
    while runs.http.get(f"/runs/{run_id}?wait=5").json()["status"] != "completed":
        pass
    for path in (f"/runs/{run_id}/calls", "/runs", "/runs?status=completed"):
        runs.http.get(path)
    for _ in range(2):
        runs.http.post("/runs", json={"prompt": "Go."}, headers={"Idempotency-Key": run_id})

    stopped = runs.post({"prompt": "Go.", "model": brain.script(Hang())}).json()["run_id"]
    runs.wait_for_state(stopped, "Poll run")
    runs.http.post(f"/runs/{stopped}/cancel")

    def recorded(age: timedelta = timedelta(0)) -> Run:
        then = datetime.now(UTC) - age
        new = Run.new(
            owner=ANYBODY,
            prompt="Go.",
            assistant="summarizer",
            model="m",
            run_api="responses",
            created_at=datetime.now(UTC),
        )
        run_id = f"run_{int(then.timestamp() * 1000):012x}{new.run_id[16:]}"
        return store.add_run(
            new.model_copy(
                update={"run_id": run_id, "created_at": then, "callback_url": "http://127.0.0.1:1/"}
            )
        )

    runs.http.post(f"/runs/{recorded().run_id}/cancel")  # of which there is no execution
    recorded(timedelta(hours=1))
    lost = recorded(timedelta(hours=1)).run_id
    invoke("SweepRunsFunction", sample("sweep_runs"))
    runs.ended_execution(lost)
    dead = recorded(timedelta(hours=1))
    before = (table := laptop.stack.dynamodb).get_item(TableName=laptop.stack.table, Key=_key(lost))["Item"]
    table.put_item(
        TableName=laptop.stack.table,
        Item={
            **before,
            "status": {"S": "in_progress"},
            "status_day": {"S": f"in_progress#{dead.created_at.date()}"},
        },
    )
    invoke("SweepRunsFunction", sample("sweep_runs"))

    invoke("StartRunFromEventFunction", records("start_run_from_event", '{"prompt": "Go."}', "{"))
    for _ in range(2):
        invoke("StartRunFromEventFunction", sample("start_run_from_event"))
    invoke("CloseRunFunction", records("close_run", "{"))
    told = json.dumps(
        {"detail": {"name": f"{run_id}-2", "status": "FAILED", "error": "EventBridge.FailedEntry"}}
    )
    invoke("CloseRunFunction", records("close_run", told))
    failure = {"code": "late", "message": "Too late."}
    invoke("RecordFailureFunction", sample("record_failure", run_id=run_id, failure=failure))
    ended = store.record_failure(
        store.get_run(recorded().run_id), Failure(code="x", message="x"), Usage(), datetime.now(UTC)
    )
    event = json.dumps({"detail": RunEndedEvent.of(ended).model_dump(mode="json")})
    invoke("CallBackFunction", records("call_back", event, SentTimestamp=str(time.time_ns() // 1_000_000)))
    invoke("CallBackFunction", records("call_back", event, SentTimestamp="0"))
    _notify(laptop)


def _key(run_id: str) -> Any:
    return {"pk": {"S": f"RUN#{run_id}"}, "sk": {"S": "RUN"}}


def _notify(laptop: LocalStack) -> None:
    """A call of notify with a webhook, in a thread of the function's name, as the laptop would make it."""
    import threading

    from local.lambda_runtime import function_environment
    from tools.notify import lambda_handler

    name = f"webhook-{uuid.uuid4()}"
    boto3.client("secretsmanager").create_secret(Name=name, SecretString=CALLBACK_SECRET)
    function = laptop.stack.functions["NotifyFunction"]
    event = sample("notify", run_id=f"run_{uuid.uuid4().hex[:28]}")

    def call() -> None:
        with canned(Response(status=200)) as up:
            environment = {**function.environment, "WEBHOOK_URL": up.url, "WEBHOOK_SECRET_NAME": name}
            with function_environment(environment):
                lambda_handler(event)

    worker = threading.Thread(target=call, name=function.name)
    worker.start()
    worker.join()


@pytest.mark.usefixtures("every_turn")
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_role_allows_what_its_function_asks_for_and_nothing_else(
    laptop: LocalStack, used_rights: UsedRights, function: str
) -> None:
    used, allowed = used_rights.actions[laptop.stack.functions[function].name], granted(function)

    assert used - {SECRET} == allowed - {SECRET} - SPARE.get(function, set())
    assert SECRET in allowed or SECRET not in used


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_that_may_read_a_secret_is_told_which(function: str) -> None:
    """Functions of one process share what was read, so that who asks for it is chance here."""
    variables = RESOURCES[function]["Properties"].get("Environment", {}).get("Variables", {})

    assert SECRET not in granted(function) or any(name.endswith("_SECRET_NAME") for name in variables)
