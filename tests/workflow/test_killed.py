"""A handler may be killed between any two of its effects: what it does is done once all the same.

Each is killed at its first effect and run again by whoever owns the retry, then at its second, and so on; in the
end its answer is lost. `HANDLERS` says of each who runs it again, and holds the test of it.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, get_args

import boto3
import pytest
from support.canned_server import canned
from support.event_listener import EventListener
from support.handler_crashes import HANDLERS
from support.kill_handlers import Killer
from support.runs import Runs
from support.sample_events import sample
from werkzeug.wrappers import Response

from local.config import ROOT
from local.openai_emulator import (
    Call,
    CallTools,
    Hang,
    Say,
)
from local.stack import LocalStack
from upcall.aws.dynamodb import Table
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.caller import ANYBODY
from upcall.domain.events import RunEndedEvent
from upcall.domain.failure import Failure
from upcall.domain.run import Run
from upcall.domain.upstream_run import Message, RunApiName
from upcall.domain.usage import Usage
from upcall.use_cases.sweep_runs import MIN_AGE

PATIENCE_SECONDS = 20
APIS: tuple[RunApiName, ...] = get_args(RunApiName)

pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"  # what the dead leave open
)


@dataclass
class Cloud:
    """A laptop cloud with a killer in it."""

    laptop: LocalStack
    killer: Killer
    store: DynamoDBRunRepository
    runs: Runs
    hearing: EventListener

    def recorded(self, *steps: Any, **fields: Any) -> Run:
        """The record of a run that follows a script."""
        asked = {"prompt": "Go.", "assistant": "summarizer", "run_api": "responses", **fields}
        return self.store.add_run(
            Run.new(
                owner=ANYBODY,
                model=self.laptop.emulator.script(*steps),
                **asked,
                created_at=datetime.now(UTC),
            )
        )

    def created(self, *steps: Any, **fields: Any) -> Run:
        """A run that lives upstream, and that no execution works on."""
        run = self.recorded(*steps, **fields)
        self.killer.once("CreateRunFunction", {"run_id": run.run_id})
        return self.store.get_run(run.run_id)

    def polled_at_length(self, **fields: Any) -> Run:
        """A run that an execution works on, whose model comes to no end."""
        run = self.recorded(Hang(), **fields)
        self.runs.start_execution(run.run_id)
        self.runs.wait_for_state(run.run_id, "Poll run")
        return self.store.get_run(run.run_id)

    def phases(self, run: Run) -> list[str]:
        """How far each turn of the run's model has come."""
        return [turn.phase for turn in self.laptop.emulator.brain.begun.get(run.model, [])]

    def ended(self, run_id: str) -> Run:
        """The run, once it has ended."""
        until(lambda: self.store.get_run(run_id).ended, f"{run_id} does not end")
        return self.store.get_run(run_id)


@pytest.fixture
def cloud(laptop: LocalStack, runs: Runs, hearing: EventListener) -> Cloud:
    store = DynamoDBRunRepository(Table(laptop.stack.dynamodb, laptop.stack.table), 30)
    return Cloud(laptop, Killer(laptop), store, runs, hearing)


def until(holds: Callable[[], Any], words: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, words
        time.sleep(0.02)


@pytest.mark.parametrize("follow_up", [False, True], ids=["alone", "follow-up"])
@pytest.mark.parametrize("api", APIS)
def test_each_tool_runs_once_for_the_run_that_is_followed_and_one_message_is_stored(
    cloud: Cloud, api: RunApiName, follow_up: bool
) -> None:
    """Create run, Submit tool outputs and Save message, one after the other, each killed all the way."""
    store, killer = cloud.store, cloud.killer
    model = cloud.laptop.emulator.script(CallTools((Call("weather", "{}"),)), Say("Done."))
    previous = None
    for _ in range(2 if follow_up else 1):
        new = Run.new(
            prompt="Go.",
            assistant="summarizer",
            model=model,
            run_api=api,
            previous=previous,
            created_at=datetime.now(UTC),
        )
        store.add_run(new)
        killed_all_the_way(killer, new.run_id)
        previous = run = store.get_run(new.run_id)

    assert killer.kills >= 10
    assert (run.status, run.round, run.tool_calls) == ("completed", 1, 1)
    assert store.get_message(run) == "Done."
    (entry,) = store.get_ledger(run.run_id)
    assert entry.output.output == "It rains."
    turns = cloud.laptop.emulator.brain.begun[model]
    assert [[each.output for each in round_] for round_ in turns[-1].conversation.rounds] == [["It rains."]]
    assert (turns[-1].conversation.follows is not None) == follow_up
    assert {turn.phase for turn in turns} == {"done"}, (
        "what a dead handler has left behind has come to its end"
    )


def killed_all_the_way(killer: Killer, run_id: str) -> None:
    """Take a run through one round to its message, and kill every handler at every effect."""
    made = killer.at_each_effect("CreateRunFunction", {"run_id": run_id})
    waiting = changed(killer, run_id, made["handle"])
    (call,) = waiting["tool_calls"]
    event = {
        "run_id": run_id,
        "handle": made["handle"],
        "round": 1,
        "tool_calls": [call],
        "tool_outputs": [{"call_id": call["call_id"], "outcome": "ok", "output": "It rains."}],
        "usage": waiting["usage"],
    }
    done = killer.at_each_effect("SubmitToolOutputsFunction", event)
    assert changed(killer, run_id, done["handle"])["status"] == "completed"
    killer.at_each_effect("SaveMessageFunction", {"run_id": run_id, "handle": done["handle"]})


def changed(killer: Killer, run_id: str, handle: Any) -> dict[str, Any]:
    """Poll until the run needs something or has ended."""
    event = {"run_id": run_id, "handle": handle, "seconds_left": 60}
    snapshot: dict[str, Any] = killer.once("PollRunFunction", event)
    return snapshot


def test_start_run(cloud: Cloud) -> None:
    """The caller asks again with the same key: one run, which was started once."""

    def ask(asked: tuple[str, dict[str, Any]]) -> Any:
        return cloud.killer.once("StartRunFunction", asked[1])

    def request() -> tuple[str, dict[str, Any]]:
        model = cloud.laptop.emulator.script(Say("Done."))
        event = sample("start_run", body=json.dumps({"prompt": "Go.", "model": model}))
        event["headers"]["idempotency-key"] = uuid.uuid4().hex
        return model, event

    for asked in cloud.killer.afresh(request, ask):
        assert_one_run(cloud, asked[0])
    assert cloud.killer.kills >= 3


def test_start_run_from_event(cloud: Cloud) -> None:
    """The queue brings the message again: one run, which was started once."""

    def request() -> tuple[str, dict[str, Any]]:
        model = cloud.laptop.emulator.script(Say("Done."))
        return model, message("start_run_from_event", json.dumps({"prompt": "Go.", "model": model}))

    def handle(asked: tuple[str, dict[str, Any]]) -> None:
        assert cloud.killer.once("StartRunFromEventFunction", asked[1]) == {"batchItemFailures": []}

    for asked in cloud.killer.afresh(request, handle):
        assert_one_run(cloud, asked[0])
    assert cloud.killer.kills >= 3


def assert_one_run(cloud: Cloud, model: str) -> None:
    pages = cloud.laptop.stack.dynamodb.get_paginator("scan").paginate(
        TableName=cloud.laptop.stack.table,
        FilterExpression="model = :model",
        ExpressionAttributeValues={":model": {"S": model}},
    )
    (run,) = (item for page in pages for item in page["Items"])
    ended = cloud.ended(run["run_id"]["S"])
    assert cloud.store.get_message(ended) == "Done."
    assert cloud.phases(ended) == ["done"]


def message(handler: str, body: str) -> dict[str, Any]:
    """The sample of a batch with another message in it."""
    event = sample(handler)
    (record,) = event["Records"]
    event["Records"] = [{**record, "messageId": uuid.uuid4().hex, "body": body}]
    return event


@pytest.mark.parametrize("api", APIS)
def test_cancel_run(cloud: Cloud, api: RunApiName) -> None:
    """The caller asks again: cancelled here, upstream and in the workflow, and announced."""

    def cancel(run: Run) -> None:
        path = f"/runs/{run.run_id}/cancel"
        event = sample("cancel_run", rawPath=path, pathParameters={"run_id": run.run_id})
        event["requestContext"]["http"]["path"] = path
        assert cloud.killer.once("CancelRunFunction", event)["statusCode"] in (200, 409)

    for run in cloud.killer.afresh(lambda: cloud.polled_at_length(run_api=api), cancel):
        found = cloud.store.get_run(run.run_id)
        assert (found.status, found.failure and found.failure.code) == ("cancelled", "cancelled")
        # It may see that it is cancelled upstream, and fail by itself, before it is stopped.
        assert cloud.runs.ended_execution(run.run_id)["status"] in ("ABORTED", "FAILED")
        assert {each["detail-type"] for each in cloud.hearing.about(run.run_id)} == {"Run Cancelled"}
        assert cloud.phases(run) == ["cancelled"]
    assert cloud.killer.kills >= 4


def test_cancel_run_that_was_never_started(cloud: Cloud) -> None:
    """There is no execution whose end would have it announced."""

    def cancel(run: Run) -> None:
        path = f"/runs/{run.run_id}/cancel"
        event = sample("cancel_run", rawPath=path, pathParameters={"run_id": run.run_id})
        event["requestContext"]["http"]["path"] = path
        cloud.killer.once("CancelRunFunction", event)

    for run in cloud.killer.afresh(lambda: cloud.recorded(Hang()), cancel):
        assert {each["detail-type"] for each in cloud.hearing.about(run.run_id)} == {"Run Cancelled"}
        assert cloud.phases(run) == []


@pytest.mark.parametrize("api", APIS)
def test_close_run(cloud: Cloud, api: RunApiName) -> None:
    """The queue brings the end of the execution again: recorded once, announced, cancelled upstream."""

    def close(run: Run) -> None:
        detail = {"name": run.run_id, "status": "TIMED_OUT", "error": None, "cause": None}
        event = message("close_run", json.dumps({"detail": detail}))
        assert cloud.killer.once("CloseRunFunction", event) == {"batchItemFailures": []}

    endings = set()
    for run in cloud.killer.afresh(lambda: cloud.created(Hang(), run_api=api), close):
        found = cloud.store.get_run(run.run_id)
        assert found.failure is not None
        assert found.failure.code == "execution_timed_out"
        cloud.hearing.about(run.run_id)
        endings.add(len(cloud.hearing.about(run.run_id, all_there_are=True)))
        assert cloud.phases(run) == ["cancelled"]
    assert cloud.killer.kills >= 4
    assert endings == {1, 2}, "twice only where it was killed before it could note that it has announced"


@pytest.mark.parametrize("api", APIS)
def test_record_failure(cloud: Cloud, api: RunApiName) -> None:
    """The workflow tries again where Lambda says so; else close_run does. One failure, nothing goes on upstream."""

    def record(run: Run) -> None:
        assert run.upstream_run is not None
        event = sample(
            "record_failure", run_id=run.run_id, handle=run.upstream_run.model_dump(), still_running=True
        )
        assert cloud.killer.once("RecordFailureFunction", event)["event"] == "Run Failed"

    for run in cloud.killer.afresh(lambda: cloud.created(Hang(), run_api=api), record):
        assert cloud.store.get_run(run.run_id).status == "failed"
        assert cloud.phases(run) == ["cancelled"]
    assert cloud.killer.kills >= 3


def test_call_back(cloud: Cloud) -> None:
    """The queue brings the announcement again: posted at least once, under the same id."""
    with canned(Response(status=204)) as up:

        def ended() -> Run:
            return cloud.store.complete_run(
                cloud.recorded(Say("Done."), callback_url=f"{up.url}/{uuid.uuid4()}"),
                Message(text="Done."),
                datetime.now(UTC),
            )

        def call_back(run: Run) -> None:
            event = message(
                "call_back", json.dumps({"detail": RunEndedEvent.of(run, "Done.").model_dump(mode="json")})
            )
            assert cloud.killer.once("CallBackFunction", event) == {"batchItemFailures": []}

        for run in cloud.killer.afresh(ended, call_back):
            posted = [asked for asked in up.asked if str(run.callback_url).endswith(asked.path)]
            assert {asked.headers["Webhook-Id"] for asked in posted} == {f"msg_{run.run_id}"}
    assert cloud.killer.kills >= 2


def test_sweep_runs(cloud: Cloud) -> None:
    """The next sweep finds what this one has left: a run that was never started, and one whose execution died."""
    workflows, arn = boto3.client("stepfunctions"), cloud.laptop.stack.state_machine
    dies = {"StartAt": "No", "States": {"No": {"Type": "Fail", "Error": "Lost", "Cause": "Gone."}}}

    def lost() -> tuple[Run, Run]:
        started, died = (aged(cloud, step) for step in (Say("Late."), Hang()))
        before = workflows.describe_state_machine(stateMachineArn=arn)["definition"]
        workflows.update_state_machine(stateMachineArn=arn, definition=json.dumps(dies))
        silent = {"stateMachineArn": arn, "name": died.run_id, "input": "{}"}
        workflows.start_execution(**silent)
        workflows.update_state_machine(stateMachineArn=arn, definition=before)
        return started, died

    def sweep(_: object) -> None:
        cloud.killer.once("SweepRunsFunction", sample("sweep_runs"))

    for started, died in cloud.killer.afresh(lost, sweep, spared=b"DynamoDB_20120810.Query"):
        assert cloud.store.get_message(cloud.ended(started.run_id)) == "Late."
        assert cloud.phases(started) == ["done"]
        assert cloud.ended(died.run_id).status == "failed"
        cloud.hearing.about(died.run_id)
    assert cloud.killer.kills >= 2


def test_retry_run(cloud: Cloud) -> None:
    """The caller asks again, or the next sweep finds the run open: it is tried again once."""

    def failed() -> Run:
        failure = Failure(code="server_error", message="It broke.")
        return cloud.store.record_failure(aged(cloud, Say("Done.")), failure, Usage(), datetime.now(UTC))

    def retry(run: Run) -> None:
        path = f"/runs/{run.run_id}/retry"
        event = sample("retry_run", rawPath=path, pathParameters={"run_id": run.run_id})
        event["requestContext"]["http"]["path"] = path
        assert cloud.killer.once("RetryRunFunction", event)["statusCode"] in (202, 409)

    for run in cloud.killer.afresh(failed, retry):
        cloud.laptop.runner.invoke(cloud.laptop.stack.functions["SweepRunsFunction"].name, "{}")
        assert cloud.store.get_message(cloud.ended(run.run_id)) == "Done."
        assert cloud.phases(run) == ["done"]
        assert cloud.store.get_run(run.run_id).attempt == 2
    assert cloud.killer.kills >= 2


def aged(cloud: Cloud, step: Any) -> Run:
    """The record of a run that was asked for a while ago."""
    model, then = cloud.laptop.emulator.script(step), datetime.now(UTC) - 2 * MIN_AGE
    run = Run.new(
        owner=ANYBODY,
        prompt="Go.",
        assistant="summarizer",
        model=model,
        run_api="responses",
        created_at=datetime.now(UTC),
    )
    run_id = f"run_{int(then.timestamp() * 1000):012x}{run.run_id[16:]}"
    return cloud.store.add_run(run.model_copy(update={"run_id": run_id, "created_at": then}))


READERS = sorted(name for name, handler in HANDLERS.items() if not handler.changes)


@pytest.mark.parametrize("handler", READERS)
def test_what_only_reads_gives_the_same_answer_when_it_is_asked_again(cloud: Cloud, handler: str) -> None:
    run = cloud.created(Say("Done."))
    event = json.loads(json.dumps(sample(handler)).replace("run_0123456789ab0123456789abcdef", run.run_id))
    if handler == "poll_run":
        assert run.upstream_run is not None
        event |= {"run_id": run.run_id, "handle": run.upstream_run.model_dump()}

    def change_nothing(before: Mapping[str, Any]) -> Mapping[str, Any]:
        cloud.killer.at_each_effect(logical_id(handler), event)
        return before

    kept = everything_of(cloud, run)
    assert everything_of(cloud, run) == change_nothing(kept)


def everything_of(cloud: Cloud, run: Run) -> Mapping[str, Any]:
    found = cloud.laptop.stack.dynamodb.query(
        TableName=cloud.laptop.stack.table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": f"RUN#{run.run_id}"}},
    )
    return {str(item["sk"]): item for item in found["Items"]}


def logical_id(handler: str) -> str:
    return f"{handler.title().replace('_', '')}Function"


def names() -> Iterator[str]:
    for path in (ROOT / "src" / "handlers").glob("[!_]*.py"):
        yield path.stem


def test_every_handler_is_killed_here() -> None:
    assert sorted(names()) == sorted(HANDLERS)
    for name, handler in HANDLERS.items():
        if handler.changes:
            assert handler.test in globals(), f"{name} has no test {handler.test}"
