"""The role of each function allows what the function does, and nothing else.
 moto does not check permissions, so a missing one would only be noticed on AWS. Here runs go through every
path that uses AWS, and the actions that were used are compared with the roles.
"""

import json
import time
import uuid
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from support.batches import Batches
from support.fast_stack import pushed_runs
from support.function_changes import function_changes
from support.notifications import received_notifications
from support.open_calls import LOOKUP_TOOL
from support.run_records import new_run
from support.runs import Runs
from support.sample_events import Invoke, sample_batch, sample_event
from support.templates import RESOURCES, TEMPLATE, resources_of_type
from support.used_permissions import UsedPermissions
from support.waiting import wait_until

from local.openai_emulator import Call, CallTools, Fail, Hang, Say
from local.stack import LocalStack
from upcall.aws.control_items import ControlItems
from upcall.aws.dynamodb import Table
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.caller import ANYBODY, EVENTS
from upcall.domain.events import RunEndedEvent
from upcall.domain.failure import Failure
from upcall.domain.open_calls import CallAnswer
from upcall.domain.quota import QuotaSetting
from upcall.domain.run import Run
from upcall.domain.upstream_run import Message
from upcall.domain.usage import Usage
from upcall.use_cases import poll_run

FUNCTIONS = list(resources_of_type("AWS::Lambda::Function"))

SECRET = "secretsmanager:GetSecretValue"  # noqa: S105  # a permission

UNUSED = {
    "NotifyFunction": {"dynamodb:GetItem"},
    "CancelBatchRunsFunction": {"sqs:SendMessage"},
}
"""Powertools' Idempotency reads an item if DynamoDB rejects a conditional write without returning the item. A run
of a batch that is cancelled before its execution was started is closed by a message, as `cancel_run` does."""


def allowed_actions(function: str) -> set[str]:
    """What the role of a function allows, without logs, traces and the reading of its queue."""
    ((_, (role, _)),) = RESOURCES[function]["Properties"]["Role"].items()
    allowed: set[str] = set()
    attached = [
        properties
        for properties in resources_of_type("AWS::IAM::Policy").values()
        if {"Ref": role} in properties["Roles"]
    ]
    for policy in (*RESOURCES[role]["Properties"].get("Policies", []), *attached):
        statements = policy["PolicyDocument"]["Statement"]
        for statement in statements if isinstance(statements, list) else [statements]:
            actions = statement["Action"]
            allowed |= {
                action.rstrip("*") for action in (actions if isinstance(actions, list) else [actions])
            }
    return allowed


@pytest.fixture(scope="module")
def every_path(
    local_stack: LocalStack, runs: Runs, repository: DynamoDBRunRepository, invoke: Invoke
) -> None:
    """Runs that complete, fail, are retried, cancelled, closed, swept and called back, and invalid messages."""
    controls = ControlItems(Table(local_stack.deployed.dynamodb, local_stack.deployed.table))
    for caller in (ANYBODY, EVENTS):
        controls.set_quota(caller, QuotaSetting(runs=10**6, concurrent=10**6))
    run_id = run_that_fails_and_is_retried(local_stack, runs)
    paths = [route.path for route in TEMPLATE.routes() if route.method == "GET"]
    for path in (*paths, "/runs?status=completed"):
        runs.http.get(path.replace("{run_id}", run_id))
    for _ in range(2):
        runs.http.post("/runs", json={"prompt": "Go."}, headers={"Idempotency-Key": run_id})

    model = local_stack.emulator.script(Hang())
    cancelled = runs.post({"prompt": "Go.", "model": model}).json()["run_id"]
    runs.wait_for_state(cancelled, "Poll run")
    runs.http.get(f"/runs/{cancelled}?wait=1")
    runs.http.get(f"/runs/{cancelled}/events?after=99&wait=1")
    runs.http.post(f"/runs/{cancelled}/cancel")
    without_execution = add_run(repository)
    runs.http.post(f"/runs/{without_execution.run_id}/cancel")

    run_that_waits_for_answers(runs)
    sweep_lost_runs(local_stack, runs, repository, invoke)
    start_runs_from_events(invoke)
    controls.stop("caller", EVENTS, datetime.now(UTC))
    (record,) = sample_event("start_run_from_event")["Records"]
    invoke("StartRunFromEventFunction", {"Records": [{**record, "messageId": str(uuid.uuid4())}]})
    controls.resume("caller", EVENTS)
    close_runs(invoke, repository)
    batches_that_end_and_are_cancelled(local_stack, runs, invoke)
    run_that_is_pushed(local_stack, runs, invoke)
    run_that_is_streamed(local_stack, runs)
    deliver_callbacks(invoke, repository)
    with function_changes(
        local_stack, "ExportTraceFunction", environment={"OTLP_ENDPOINT": "http://127.0.0.1:1"}
    ):
        export_traces(invoke, repository)
    with received_notifications(local_stack):
        invoke("NotifyFunction", sample_event("notify", run_id=f"run_{uuid.uuid4().hex[:28]}"))
    for caller in (ANYBODY, EVENTS):
        controls.remove_quota(caller)


def run_that_waits_for_answers(runs: Runs) -> None:
    """A run with an approved call, and a call that its caller answers."""
    calls = CallTools((Call.of("notify", message="Hello."), Call.of("lookup", order=1)))
    run_id = runs.start_script(calls, Say("Done."), assistant="announcer", tools=[LOOKUP_TOOL])
    approval, output = runs.wait_for_open_calls(run_id, 2)
    runs.decide(run_id, approval)
    runs.give_outputs(run_id, {output["id"]: "42"})
    runs.wait_for_execution(run_id)


def run_that_fails_and_is_retried(local_stack: LocalStack, runs: Runs) -> str:
    """The id of a run that calls both tools that read, fails, and completes with the second attempt."""
    models = local_stack.emulator.models
    key = f"{uuid.uuid4()}.txt"
    boto3.client("s3").put_object(
        Bucket=local_stack.deployed.inbox, Key=key, Body="It was quiet.", ContentType="text/plain"
    )
    fetch = CallTools((Call.of("fetch", url=f"{local_stack.endpoints.pages}/tides"),))
    read_object = CallTools((Call.of("read_object", key=key),))
    model = models.script(fetch, read_object, Fail("invalid_prompt", "It broke."))
    run_id: str = runs.run("Go.", model=model).run["run_id"]
    models.replace_steps(model, fetch, fetch, Say("Done."))
    runs.http.post(f"/runs/{run_id}/retry")
    runs.wait_for_execution(f"{run_id}-2")
    assert runs.http.get(f"/runs/{run_id}?wait=5").json()["status"] == "completed"
    return run_id


def add_run(repository: DynamoDBRunRepository, age: timedelta = timedelta(0), **fields: str) -> Run:
    """The record of a run that was created some time ago, and whose callback cannot be delivered."""
    created_at = datetime.now(UTC) - age
    return repository.add_run(new_run(callback_url="http://127.0.0.1:1/", created_at=created_at, **fields))


def sweep_lost_runs(
    local_stack: LocalStack, runs: Runs, repository: DynamoDBRunRepository, invoke: Invoke
) -> None:
    """Sweep runs that were never started, one whose execution has ended without a change of its record, and one
    whose call has an answer that the workflow did not get."""
    add_run(repository, age=timedelta(hours=1))
    lost = add_run(repository, age=timedelta(hours=1)).run_id
    invoke("SweepRunsFunction", sample_event("sweep_runs"))
    runs.wait_for_execution(lost)
    reopened = {**runs.table_items(lost)["RUN"], "status": {"S": "in_progress"}, "open": {"S": "open"}}
    local_stack.deployed.dynamodb.put_item(TableName=local_stack.deployed.table, Item=reopened)
    calls = CallTools((Call.of("notify", message="Hello."),))
    model = local_stack.emulator.models.script(calls, Say("Done."))
    waiting = add_run(repository, age=timedelta(hours=1), assistant="announcer", model=model)
    runs.start_execution(waiting.run_id)
    call = wait_until(lambda: repository.get_open_call(waiting, "1-1"), "an open call")
    now = datetime.now(UTC)
    repository.answer_call(waiting, call, CallAnswer(output=call.error("Denied."), answered_at=now))
    invoke("SweepRunsFunction", sample_event("sweep_runs"))
    runs.wait_for_execution(waiting.run_id)


def batches_that_end_and_are_cancelled(local_stack: LocalStack, runs: Runs, invoke: Invoke) -> None:
    """A batch with a run that completes, one that fails and a line that cannot be read, one whose execution is
    lost, and one that is cancelled while its runs are under way."""
    models = local_stack.emulator.models
    completes, fails = models.script(Say("Done.")), models.script(Fail("invalid_prompt", "It broke."))
    lines = [{"prompt": "Go.", "model": completes}, {"prompt": "Go.", "model": fails}, {"model": fails}]
    batches = Batches(local_stack, runs)
    ended = batches.start(inputs=lines, tolerated_failures=0.9)
    wait_for_batch(runs, ended, "completed")
    runs.http.get(f"/batches/{ended}/results")
    runs.http.post(f"/batches/{ended}/cancel")

    hanging = models.script(Hang())
    fields: dict[str, Any] = {"inputs": ["Go.", "Go."], "concurrency": 1, "defaults": {"model": hanging}}
    cancelled = batches.start(**fields)
    view = wait_until(lambda: under_way(runs, cancelled), "a run under way")
    runs.http.get("/batches")
    line = invoke_line(invoke, cancelled)
    assert line == {}
    runs.http.post(f"/batches/{cancelled}/cancel")
    wait_for_batch(runs, cancelled, "cancelled")
    assert view["lines"] == 2
    key = str(uuid.uuid4())  # these paths may be walked twice on one stack
    lost = batches.start(**fields, key=key)
    batches.stop_execution(lost)
    assert batches.start(**fields, key=key) == lost
    runs.http.post(f"/batches/{lost}/cancel")
    wait_for_batch(runs, lost, "cancelled")
    never_started = batches.record(["Go."], age=timedelta(hours=1)).batch_id
    stopped = batches.lose_execution([{"prompt": "Go.", "model": hanging}], age=timedelta(hours=1))
    invoke("SweepBatchesFunction", sample_event("sweep_batches"))
    wait_for_batch(runs, never_started, "completed")
    wait_for_batch(runs, stopped, "cancelled")


def wait_for_batch(runs: Runs, batch_id: str, status: str) -> None:
    def is_so() -> bool:
        view = runs.http.get(f"/batches/{batch_id}").json()
        assert view["status"] == status or not view.get("ended_at"), view
        return bool(view["status"] == status)

    wait_until(is_so, f"the batch is {status}")


def under_way(runs: Runs, batch_id: str) -> dict[str, Any] | None:
    """The batch, once a run of it has been created upstream."""
    view: dict[str, Any] = runs.http.get(f"/batches/{batch_id}").json()
    listed = runs.http.get("/runs?status=in_progress").json()["runs"]
    return view if view["under_way"] and listed else None


def invoke_line(invoke: Invoke, batch_id: str) -> Any:
    """Start the first line of a batch once more."""
    event = sample_event("start_batch_run", batch_id=batch_id)
    event["source"]["length"] = "5"
    return invoke("StartBatchRunFunction", event)


def start_runs_from_events(invoke: Invoke) -> None:
    invoke("StartRunFromEventFunction", sample_batch("start_run_from_event", '{"prompt": "Go."}', "{"))
    for _ in range(2):
        invoke("StartRunFromEventFunction", sample_event("start_run_from_event"))


def close_runs(invoke: Invoke, repository: DynamoDBRunRepository) -> None:
    """An event that cannot be parsed, and completed runs whose end could not be published: one is closed, and
    one gets a failure that comes too late."""
    invoke("CloseRunFunction", sample_batch("close_run", "{"))
    closed, late = (
        repository.complete_run(add_run(repository), Message(text="Done."), datetime.now(UTC)).run_id
        for _ in range(2)
    )
    detail = {"name": closed, "status": "FAILED", "error": "TransientError"}
    invoke("CloseRunFunction", sample_batch("close_run", json.dumps({"detail": detail})))
    failure = {"code": "late", "message": "Too late."}
    invoke("RecordFailureFunction", sample_event("record_failure", run_id=late, failure=failure))


def run_that_is_pushed(local_stack: LocalStack, runs: Runs, invoke: Invoke) -> None:
    """A run that waits for webhooks, and one whose task waits again after a time-out."""
    with pushed_runs(local_stack):
        ended = runs.run_script(
            CallTools((Call("none", "{}"),), after_seconds=0.3), Say("Done.", after_seconds=0.3)
        )
    assert ended.run["updates"] == "pushed"
    invoke("WaitForChangeFunction", {**sample_event("wait_for_change"), "task_token": "ended"})


def run_that_is_streamed(local_stack: LocalStack, runs: Runs) -> None:
    """A run whose turns are longer than the windows of the functions that record their text."""
    fetch = CallTools((Call.of("fetch", url=f"{local_stack.endpoints.pages}/tides"),), after_seconds=0.5)
    with pytest.MonkeyPatch.context() as patch, ExitStack() as changes:
        patch.setattr(poll_run, "MIN_STREAM_SECONDS", 0.3)
        for function in ("CreateRunFunction", "PollRunFunction", "SubmitToolOutputsFunction"):
            environment = {"POLL_WINDOW_SECONDS": "0"}
            changes.enter_context(function_changes(local_stack, function, environment=environment))
        ended = runs.run_script(fetch, Say("One two three.", after_seconds=1.2), stream=True)
    assert runs.http.get(f"/runs/{ended.run['run_id']}/events?text_after=0").json()["text"]


def deliver_callbacks(invoke: Invoke, repository: DynamoDBRunRepository) -> None:
    """A callback that is to be delivered later, and one that is given up."""
    failure = Failure(code="x", message="x")
    run = repository.record_failure(add_run(repository), failure, Usage(), datetime.now(UTC))
    event = json.dumps({"detail": RunEndedEvent.of(run).model_dump(mode="json")})
    for sent_at in (str(time.time_ns() // 1_000_000), "0"):
        invoke("DeliverCallbackFunction", sample_batch("deliver_callback", event, SentTimestamp=sent_at))


def export_traces(invoke: Invoke, repository: DynamoDBRunRepository) -> None:
    """A trace that is to be sent later, and one that is given up."""
    failure = Failure(code="x", message="x")
    run = repository.record_failure(add_run(repository), failure, Usage(), datetime.now(UTC))
    event = json.dumps({"detail": {"run_id": run.run_id}})
    for sent_at in (str(time.time_ns() // 1_000_000), "0"):
        invoke("ExportTraceFunction", sample_batch("export_trace", event, SentTimestamp=sent_at))


@pytest.mark.usefixtures("every_path")
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_role_allows_what_its_function_does_and_nothing_else(
    local_stack: LocalStack, used_permissions: UsedPermissions, function: str
) -> None:
    used = used_permissions.actions[local_stack.deployed.functions[function].name]
    allowed = allowed_actions(function)

    assert used - {SECRET} == allowed - {SECRET} - UNUSED.get(function, set())
    assert SECRET in allowed or SECRET not in used


@pytest.mark.usefixtures("every_path")
def test_a_tool_with_an_effect_touches_only_the_partitions_that_its_role_allows(
    local_stack: LocalStack, used_permissions: UsedPermissions
) -> None:
    used = used_permissions.partition_keys[local_stack.deployed.functions["NotifyFunction"].name]
    ((_, (role, _)),) = RESOURCES["NotifyFunction"]["Properties"]["Role"].items()
    conditions = json.dumps(RESOURCES[role]["Properties"]["Policies"])

    assert '"dynamodb:LeadingKeys": ["ONCE#*"]' in conditions
    assert used
    assert all(key.startswith("ONCE#run_") for key in used)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_that_may_read_a_secret_knows_its_name(function: str) -> None:
    """Functions of one process share the secrets that were read, so it is chance which of them reads one here."""
    variables = RESOURCES[function]["Properties"].get("Environment", {}).get("Variables", {})

    assert SECRET not in allowed_actions(function) or any(name.endswith("_SECRET_NAME") for name in variables)
