"""A handler may be killed at any of its requests. What it does is done once all the same.

Each handler is killed at its first request and invoked again by whatever does that in production, then at its second
request, and so on. In the end its result is lost. `HANDLERS` says of each handler what invokes it again, and names
its test.
"""

import gc
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import boto3
import pytest
from support import templates
from support.canned_server import canned_server, json_response
from support.event_listener import EventListener
from support.fast_stack import WEBHOOK_SECRET_NAME, pushed_runs
from support.kill_handlers import HandlerKiller
from support.killed_handlers import HANDLERS
from support.notifications import received_notifications
from support.open_calls import LOOKUP_TOOL
from support.run_records import new_run
from support.runs import Runs
from support.sample_events import sample_batch, sample_event, sample_run_request
from support.waiting import wait_until
from werkzeug.wrappers import Response

from local.openai_emulator import Call, CallTools, Fail, FailAtFirst, Hang, Say, Step
from local.stack import LocalStack
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.events import RunEndedEvent
from upcall.domain.failure import Failure
from upcall.domain.run import Run
from upcall.domain.upstream_run import Message, RunApiName
from upcall.domain.usage import Usage
from upcall.run_apis import get_run_api
from upcall.use_cases.sweep_runs import MIN_AGE
from upcall.web.standard_webhooks import signature_headers

APIS: tuple[RunApiName, ...] = get_args(RunApiName)

pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"  # killed handlers leave connections open
)


@dataclass
class KillingStack:
    """A local stack whose handlers are killed."""

    local_stack: LocalStack
    killer: HandlerKiller
    repository: DynamoDBRunRepository
    runs: Runs
    events: EventListener

    def add_run(self, *steps: Step, age: Any = None, **fields: Any) -> Run:
        """The record of a run whose model follows these steps. No execution works on it."""
        model = self.local_stack.emulator.script(*steps)
        created_at = datetime.now(UTC) - age if age else datetime.now(UTC)
        return self.repository.add_run(new_run(model=model, created_at=created_at, **fields))

    def create_run(self, *steps: Step, **fields: Any) -> Run:
        """A run that exists upstream. No execution works on it."""
        run = self.add_run(*steps, **fields)
        self.killer.invoke("CreateRunFunction", {"run_id": run.run_id, "seconds": 0})
        return self.repository.get_run(run.run_id)

    def start_hanging_run(self, **fields: Any) -> Run:
        """A run that an execution polls, and whose model never finishes."""
        run = self.add_run(Hang(), **fields)
        self.runs.start_execution(run.run_id)
        self.runs.wait_for_state(run.run_id, "Poll run")
        return self.repository.get_run(run.run_id)

    def turn_phases(self, run: Run) -> list[str]:
        """The phase of each turn of the run's model."""
        return [turn.phase for turn in self.local_stack.emulator.models.started_turns.get(run.model, [])]

    def wait_for_end(self, run_id: str) -> Run:
        """The run, once it has ended."""
        wait_until(lambda: self.repository.get_run(run_id).ended, f"the end of {run_id}")
        return self.repository.get_run(run_id)


@pytest.fixture(scope="module", autouse=True)
def _close_connections() -> Iterator[None]:
    """Close the connections that killed handlers leave open: later, they would be a warning in another module."""
    yield
    gc.collect()


@pytest.fixture
def stack(
    local_stack: LocalStack,
    repository: DynamoDBRunRepository,
    runs: Runs,
    event_listener: EventListener,
) -> KillingStack:
    return KillingStack(local_stack, HandlerKiller(local_stack), repository, runs, event_listener)


@pytest.mark.parametrize("follow_up", [False, True], ids=["alone", "follow-up"])
@pytest.mark.parametrize("api", APIS)
def test_each_tool_runs_once_and_one_message_is_stored(
    stack: KillingStack, api: RunApiName, follow_up: bool
) -> None:
    """Create run, Submit tool outputs and Save message, one after the other, each killed at every request."""
    repository, killer = stack.repository, stack.killer
    model = stack.local_stack.emulator.script(CallTools((Call("weather", "{}"),)), Say("Done."))
    previous = None
    for _ in range(2 if follow_up else 1):
        run = new_run(model=model, run_api=api, previous=previous, created_at=datetime.now(UTC))
        repository.add_run(run)
        run_to_message(killer, run)
        previous = run = repository.get_run(run.run_id)

    assert killer.kills >= 10
    assert (run.status, run.round, run.tool_calls) == ("completed", 1, 1)
    assert repository.get_message(run) == "Done."
    (entry,) = repository.get_ledger(run.run_id)
    assert entry.output.output == "It rains."
    turns = stack.local_stack.emulator.models.started_turns[model]
    assert [[each.output for each in round_] for round_ in turns[-1].conversation.rounds] == [["It rains."]]
    assert (turns[-1].conversation.previous is not None) == follow_up
    assert {turn.phase for turn in turns} == {"done"}, "the runs of killed handlers have ended upstream"


@pytest.mark.parametrize("api", APIS)
def test_a_turn_that_failed_is_requested_again_once(stack: KillingStack, api: RunApiName) -> None:
    """The Responses API takes no idempotency key: what a killed handler has created is there, unused."""
    repository, killer = stack.repository, stack.killer
    run = stack.create_run(FailAtFirst(Fail("server_error", "Sorry."), Say("Done."), times=1), run_api=api)
    upstream_run = run.upstream_run
    assert upstream_run is not None
    failed = poll(killer, run, upstream_run.model_dump())
    assert failed["repeat"]

    event = {
        "run_id": run.run_id,
        "seconds": 0,
        "errors": failed["errors"],
        "failed_upstream_run": upstream_run.model_dump(),
        "failed_usage": failed["usage"],
    }
    created = killer.kill_at_each_request("CreateRunFunction", event)

    assert poll(killer, run, created["upstream_run"])["status"] == "completed"
    assert len(stack.turn_phases(run)) == 2 or api == "responses"
    found = repository.get_run(run.run_id)
    assert found.upstream_run is not None
    assert found.upstream_run.model_dump() == created["upstream_run"]
    assert found.usage.model_dump() == failed["usage"]


def run_to_message(killer: HandlerKiller, run: Run) -> None:
    """Take a run through one round to its message, and kill every handler at every request."""
    created = killer.kill_at_each_request("CreateRunFunction", {"run_id": run.run_id, "seconds": 0})
    snapshot = poll(killer, run, created["upstream_run"])
    (call,) = snapshot["tool_calls"]
    event = {
        "run_id": run.run_id,
        "upstream_run": created["upstream_run"],
        "round": 1,
        "tool_calls": [call],
        "tool_outputs": [{"call_id": call["call_id"], "outcome": "ok", "output": "It rains."}],
        "usage": snapshot["usage"],
        "seconds": 0,
    }
    submitted = killer.kill_at_each_request("SubmitToolOutputsFunction", event)
    upstream_run = submitted["upstream_run"]
    assert poll(killer, run, upstream_run)["status"] == "completed"
    killer.kill_at_each_request("SaveMessageFunction", {"run_id": run.run_id, "upstream_run": upstream_run})


def poll(killer: HandlerKiller, run: Run, upstream_run: Any) -> dict[str, Any]:
    """Poll until the run asks for tools or has ended."""
    event = sample_event("poll_run", run_id=run.run_id, upstream_run=upstream_run)
    snapshot: dict[str, Any] = killer.invoke("PollRunFunction", event)
    return snapshot


def test_start_run(stack: KillingStack) -> None:
    """The caller repeats the request with the same key: one run, which was started once."""

    def make() -> tuple[str, dict[str, Any]]:
        model = stack.local_stack.emulator.script(Say("Done."))
        event = sample_event("start_run", body=json.dumps({"prompt": "Go.", "model": model}))
        event["headers"]["idempotency-key"] = uuid.uuid4().hex
        return model, event

    def start(request: tuple[str, dict[str, Any]]) -> Any:
        return stack.killer.invoke("StartRunFunction", request[1])

    for model, _ in stack.killer.kill_and_repeat(make, start):
        assert_one_run_completes(stack, model)
    assert stack.killer.kills >= 3


def test_start_run_from_event(stack: KillingStack) -> None:
    """The queue delivers the message again: one run, which was started once."""

    def make() -> tuple[str, dict[str, Any]]:
        model = stack.local_stack.emulator.script(Say("Done."))
        return model, sample_batch("start_run_from_event", json.dumps({"prompt": "Go.", "model": model}))

    def start(request: tuple[str, dict[str, Any]]) -> None:
        result = stack.killer.invoke("StartRunFromEventFunction", request[1])
        assert result == {"batchItemFailures": []}

    for model, _ in stack.killer.kill_and_repeat(make, start):
        assert_one_run_completes(stack, model)
    assert stack.killer.kills >= 3


def assert_one_run_completes(stack: KillingStack, model: str) -> None:
    pages = stack.local_stack.deployed.dynamodb.get_paginator("scan").paginate(
        TableName=stack.local_stack.deployed.table,
        FilterExpression="model = :model",
        ExpressionAttributeValues={":model": {"S": model}},
    )
    (run,) = (item for page in pages for item in page["Items"])
    ended = stack.wait_for_end(run["run_id"]["S"])
    assert stack.repository.get_message(ended) == "Done."
    assert stack.turn_phases(ended) == ["done"]


@pytest.mark.parametrize("api", APIS)
def test_cancel_run(stack: KillingStack, api: RunApiName) -> None:
    """The caller repeats the request: cancelled here, upstream and in the workflow, and the event is published."""

    def cancel(run: Run) -> None:
        event = sample_run_request("cancel_run", run.run_id)
        assert stack.killer.invoke("CancelRunFunction", event)["statusCode"] in (200, 409)

    for run in stack.killer.kill_and_repeat(lambda: stack.start_hanging_run(run_api=api), cancel):
        found = stack.repository.get_run(run.run_id)
        assert (found.status, found.failure and found.failure.code) == ("cancelled", "cancelled")
        # the execution may see that the run is cancelled upstream, and fail before it is stopped
        assert stack.runs.wait_for_execution(run.run_id)["status"] in ("ABORTED", "FAILED")
        events = stack.events.wait_for_events(run.run_id)
        assert {each["detail-type"] for each in events} == {"Run Cancelled"}
        assert stack.turn_phases(run) == ["cancelled"]
    assert stack.killer.kills >= 4


def test_cancel_run_that_was_never_started(stack: KillingStack) -> None:
    """There is no execution whose end would publish the event."""

    def cancel(run: Run) -> None:
        stack.killer.invoke("CancelRunFunction", sample_run_request("cancel_run", run.run_id))

    for run in stack.killer.kill_and_repeat(lambda: stack.add_run(Hang()), cancel):
        events = stack.events.wait_for_events(run.run_id)
        assert {each["detail-type"] for each in events} == {"Run Cancelled"}
        assert stack.turn_phases(run) == []


@pytest.mark.parametrize("api", APIS)
def test_close_run(stack: KillingStack, api: RunApiName) -> None:
    """The queue delivers the ended execution again: recorded once, published, cancelled upstream."""

    def close(run: Run) -> None:
        detail = {"name": run.run_id, "status": "TIMED_OUT", "error": None, "cause": None}
        event = sample_batch("close_run", json.dumps({"detail": detail}))
        assert stack.killer.invoke("CloseRunFunction", event) == {"batchItemFailures": []}

    event_counts = set()
    for run in stack.killer.kill_and_repeat(lambda: stack.create_run(Hang(), run_api=api), close):
        found = stack.repository.get_run(run.run_id)
        assert found.failure is not None
        assert found.failure.code == "execution_timed_out"
        stack.events.wait_for_events(run.run_id)
        event_counts.add(len(stack.events.published_events(run.run_id)))
        assert stack.turn_phases(run) == ["cancelled"]
    assert stack.killer.kills >= 4
    assert event_counts == {1, 2}, "twice only if it was killed before it had recorded the publication"


@pytest.mark.parametrize("api", APIS)
def test_record_failure(stack: KillingStack, api: RunApiName) -> None:
    """The workflow tries again if Lambda reports it, otherwise close_run does the work: one failure."""

    def record(run: Run) -> None:
        assert run.upstream_run is not None
        event = sample_event(
            "record_failure",
            run_id=run.run_id,
            still_running=True,
        )
        assert stack.killer.invoke("RecordFailureFunction", event)["status"] == "failed"

    for run in stack.killer.kill_and_repeat(lambda: stack.create_run(Hang(), run_api=api), record):
        assert stack.repository.get_run(run.run_id).status == "failed"
        assert stack.turn_phases(run) == ["cancelled"]
    assert stack.killer.kills >= 3


def test_deliver_callback(stack: KillingStack) -> None:
    """The queue delivers the event again: posted at least once, always with the same id."""
    with canned_server(Response(status=204)) as server:

        def complete_run() -> Run:
            run = stack.add_run(Say("Done."), callback_url=f"{server.url}/{uuid.uuid4()}")
            return stack.repository.complete_run(run, Message(text="Done."), datetime.now(UTC))

        def deliver(run: Run) -> None:
            detail = RunEndedEvent.of(run, "Done.").model_dump(mode="json")
            event = sample_batch("deliver_callback", json.dumps({"detail": detail}))
            assert stack.killer.invoke("DeliverCallbackFunction", event) == {"batchItemFailures": []}

        for run in stack.killer.kill_and_repeat(complete_run, deliver):
            posted = [request for request in server.requests if str(run.callback_url).endswith(request.path)]
            assert {request.headers["Webhook-Id"] for request in posted} == {f"msg_{run.run_id}"}
    assert stack.killer.kills >= 2


def test_export_trace(stack: KillingStack) -> None:
    """The queue delivers the event again: sent at least once, always with the same ids."""
    with canned_server(json_response({})) as server:

        def complete_run() -> Run:
            run = stack.add_run(Say("Done."))
            return stack.repository.complete_run(run, Message(text="Done."), datetime.now(UTC))

        def export(run: Run) -> None:
            event = sample_batch("export_trace", json.dumps({"detail": {"run_id": run.run_id}}))
            result = stack.killer.invoke("ExportTraceFunction", event, OTLP_ENDPOINT=server.url)
            assert result == {"batchItemFailures": []}

        for run in stack.killer.kill_and_repeat(complete_run, export):
            sent = [request.body for request in server.requests if run.run_id in request.body.decode()]
            assert len(set(sent)) == 1
    assert stack.killer.kills >= 4


def test_sweep_runs(stack: KillingStack) -> None:
    """The next sweep finds what is left: a run that was never started, and a run whose execution has failed."""
    workflows, arn = boto3.client("stepfunctions"), stack.local_stack.deployed.state_machine
    failing = {"StartAt": "Fail", "States": {"Fail": {"Type": "Fail", "Error": "Lost", "Cause": "Gone."}}}

    def make() -> tuple[Run, Run]:
        never_started = stack.add_run(Say("Late."), age=2 * MIN_AGE)
        failed = stack.add_run(Hang(), age=2 * MIN_AGE)
        definition = workflows.describe_state_machine(stateMachineArn=arn)["definition"]
        workflows.update_state_machine(stateMachineArn=arn, definition=json.dumps(failing))
        workflows.start_execution(stateMachineArn=arn, name=failed.run_id, input="{}")
        workflows.update_state_machine(stateMachineArn=arn, definition=definition)
        return never_started, failed

    def sweep(_: object) -> None:
        stack.killer.invoke("SweepRunsFunction", sample_event("sweep_runs"))

    lost_runs = stack.killer.kill_and_repeat(make, sweep, ignored_target="DynamoDB_20120810.Query")
    for never_started, failed in lost_runs:
        assert stack.repository.get_message(stack.wait_for_end(never_started.run_id)) == "Late."
        assert stack.turn_phases(never_started) == ["done"]
        assert stack.wait_for_end(failed.run_id).status == "failed"
        stack.events.wait_for_events(failed.run_id)
    assert stack.killer.kills >= 2


def test_retry_run(stack: KillingStack) -> None:
    """The caller repeats the request, or the next sweep finds the run open: it is retried once."""

    def fail_run() -> Run:
        run = stack.add_run(Say("Done."), age=2 * MIN_AGE)
        failure = Failure(code="server_error", message="It broke.")
        return stack.repository.record_failure(run, failure, Usage(), datetime.now(UTC))

    def retry(run: Run) -> None:
        event = sample_run_request("retry_run", run.run_id)
        assert stack.killer.invoke("RetryRunFunction", event)["statusCode"] in (202, 409)

    for run in stack.killer.kill_and_repeat(fail_run, retry):
        functions = stack.local_stack.deployed.functions
        stack.local_stack.runner.invoke(functions["SweepRunsFunction"].name, "{}")
        assert stack.repository.get_message(stack.wait_for_end(run.run_id)) == "Done."
        assert stack.turn_phases(run) == ["done"]
        assert stack.repository.get_run(run.run_id).attempt == 2
    assert stack.killer.kills >= 2


READERS = sorted(name for name, handler in HANDLERS.items() if not handler.writes and "batch" not in name)


@pytest.mark.parametrize("handler", READERS)
def test_a_handler_that_only_reads_returns_the_same_again(stack: KillingStack, handler: str) -> None:
    run = stack.create_run(Say("Done."))
    text = json.dumps(sample_event(handler)).replace("run_0123456789ab0123456789abcdef", run.run_id)
    event: dict[str, Any] = json.loads(text)
    if handler == "poll_run":
        assert run.upstream_run is not None
        event["upstream_run"] = run.upstream_run.model_dump()
    before = stack.runs.table_items(run.run_id)

    stack.killer.kill_at_each_request(templates.function_id(handler), event)

    assert stack.runs.table_items(run.run_id) == before


@pytest.mark.parametrize("api", ["responses", "agents"])
def test_wait_for_change(stack: KillingStack, api: RunApiName) -> None:
    """The workflow invokes it again: the token of the last time is stored, and the run is followed."""
    run = stack.create_run(Hang(), run_api=api)
    assert run.upstream_run
    event = sample_event(
        "wait_for_change",
        run_id=run.run_id,
        upstream_run=run.upstream_run.model_dump(),
        task_token="the token",  # noqa: S106  # of a test
    )

    assert stack.killer.kill_at_each_request("WaitForChangeFunction", event) == {}

    webhook_id = get_run_api(api).webhook_id(run.upstream_run)
    assert webhook_id
    task = stack.repository.get_waiting_task(webhook_id)
    assert task
    assert task.task_token == event["task_token"]


def test_receive_webhook(stack: KillingStack) -> None:
    """A message that was recorded before the function died is lost: then the time-out of the task looks at the run."""
    with pushed_runs(stack.local_stack):
        run = stack.add_run(Say("Done.", after_seconds=1))
        stack.runs.start_execution(run.run_id)
        found = wait_until(lambda: stack.repository.get_run(run.run_id).upstream_run, "the run upstream")
        secret = boto3.client("secretsmanager").get_secret_value(SecretId=WEBHOOK_SECRET_NAME)["SecretString"]
        body = json.dumps({"type": "response.completed", "data": {"id": found.ids["response_id"]}})
        event = sample_event("receive_webhook", body=body)
        event["headers"] |= signature_headers(secret, f"evt_{uuid.uuid4().hex}", body.encode())
        stack.killer.kill_at_each_request("ReceiveWebhookFunction", event)

        ended = stack.wait_for_end(run.run_id)

    assert (ended.status, stack.turn_phases(run)) == ("completed", ["done"])


def test_wait_for_answer(stack: KillingStack) -> None:
    """The workflow invokes it again: the call waits once, with the token of the last time."""
    run = stack.create_run(Hang(), assistant="announcer")
    for number, token in enumerate(("the token", "the token of a second try")):
        event = sample_event("wait_for_answer", run_id=run.run_id, task_token=token)
        if number:
            assert stack.killer.invoke("WaitForAnswerFunction", event) == {}
        else:
            assert stack.killer.kill_at_each_request("WaitForAnswerFunction", event) == {}

        (open_call,) = stack.repository.list_open_calls(run)
        assert (open_call.id, open_call.task_token, open_call.answer) == ("1-1", token, None)
    assert stack.killer.kills >= 4
    assert stack.repository.get_run(run.run_id).waiting_calls == {open_call.entry}
    assert len(stack.events.published_call_events(run.run_id)) == 2
    stack.runs.http.post(f"/runs/{run.run_id}/cancel")


@pytest.mark.parametrize("sent_again_by", ["the person", "the sweeper"])
def test_receive_decision(stack: KillingStack, sent_again_by: str) -> None:
    """Whoever does it again: one decision is recorded, the tool runs once, and the run completes."""
    calls = CallTools((Call.of("notify", message="Hello."),))

    def start() -> Run:
        run = stack.add_run(calls, Say("Done."), assistant="announcer", age=2 * MIN_AGE)
        stack.runs.start_execution(run.run_id)
        stack.runs.wait_for_open_calls(run.run_id)
        return run

    decided: set[str] = set()

    def decide(run: Run) -> None:
        open_call = stack.repository.get_open_call(run, "1-1")
        assert open_call is not None
        if sent_again_by == "the sweeper" and run.run_id in decided and open_call.answer is not None:
            stack.killer.invoke("SweepRunsFunction", sample_event("sweep_runs"))
            return
        decided.add(run.run_id)
        digest = open_call.call.arguments_digest
        body = {"decision": "approve", "reason": "It is right.", "arguments_digest": digest}
        event = sample_run_request("receive_decision", run.run_id, body=json.dumps(body))
        event["pathParameters"]["call"] = "1-1"
        assert stack.killer.invoke("ReceiveDecisionFunction", event)["statusCode"] == 200

    with received_notifications(stack.local_stack) as notifications:
        for run in stack.killer.kill_and_repeat(start, decide):
            assert stack.repository.get_message(stack.wait_for_end(run.run_id)) == "Done."
            (entry,) = stack.repository.get_ledger(run.run_id)
            assert entry.decision is not None
            assert (entry.decision.decision, entry.output.outcome) == ("approve", "ok")
            assert notifications.of_run(run.run_id) == ["Hello."]
    assert stack.killer.kills >= 5


@pytest.mark.parametrize("sent_again_by", ["the caller", "the sweeper"])
def test_receive_tool_outputs(stack: KillingStack, sent_again_by: str) -> None:
    """Two outputs in one request. What the sweeper does not find, because it was not written, the caller sends again."""
    calls = CallTools((Call.of("lookup", order=1), Call.of("lookup", order=2)))

    def start() -> Run:
        run = stack.add_run(calls, Say("Done."), tools=(LOOKUP_TOOL,), age=2 * MIN_AGE)
        stack.runs.start_execution(run.run_id)
        stack.runs.wait_for_open_calls(run.run_id, 2)
        return run

    sent: set[str] = set()

    def send(run: Run) -> None:
        if sent_again_by == "the sweeper" and run.run_id in sent:
            stack.killer.invoke("SweepRunsFunction", sample_event("sweep_runs"))
            if all(call.answer is not None for call in stack.repository.list_open_calls(run)):
                return
        sent.add(run.run_id)
        outputs = [{"call_id": f"1-{number}", "output": str(number)} for number in (1, 2)]
        event = sample_run_request("receive_tool_outputs", run.run_id, body=json.dumps({"outputs": outputs}))
        assert stack.killer.invoke("ReceiveToolOutputsFunction", event)["statusCode"] == 200

    for run in stack.killer.kill_and_repeat(start, send):
        assert stack.repository.get_message(stack.wait_for_end(run.run_id)) == "Done."
        assert [entry.output.output for entry in stack.repository.get_ledger(run.run_id)] == ["1", "2"]
        assert stack.turn_phases(run) == ["done", "done"]
    assert stack.killer.kills >= 8


def test_every_handler_is_killed_here_or_in_the_module_of_batches() -> None:
    assert sorted(HANDLERS) == templates.HANDLERS
    batches = Path(__file__).with_name("test_batch_functions_killed_at_every_request.py").read_text("utf-8")
    tests = {*globals(), *re.findall(r"^def (test_\w+)", batches, re.MULTILINE)}
    for name, handler in HANDLERS.items():
        if handler.writes:
            assert handler.test in tests, f"{name} has no test {handler.test}"
