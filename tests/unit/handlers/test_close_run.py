"""What becomes of a run whose execution has ended otherwise than by the workflow's own last states."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from support.event_listener import EventListener
from support.sample_events import Invoke, Recorded, sample

from local.openai_emulator import Fault, Hang, Say
from local.stack import LocalStack
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.failure import Failure
from upcall.domain.upstream_run import Message
from upcall.domain.usage import Usage
from upcall.use_cases.close_run import WORKFLOW_CAUSE

NOTHING_FAILED: dict[str, Any] = {"batchItemFailures": []}


def told(**detail: Any) -> dict[str, Any]:
    """The sample's event about another end."""
    event = sample("close_run")
    body = json.loads(event["Records"][0]["body"])
    event["Records"][0]["body"] = json.dumps({**body, "detail": {**body["detail"], **detail}})
    event["Records"][0]["messageId"] = uuid.uuid4().hex
    return event


def test_the_sample_is_about_a_run_that_is_gone(invoke: Invoke) -> None:
    assert invoke("CloseRunFunction", sample("close_run")) == NOTHING_FAILED


@pytest.mark.parametrize(
    ("detail", "status", "code", "words"),
    [
        ({"status": "ABORTED"}, "cancelled", "execution_aborted", "The execution was stopped."),
        (
            {"status": "ABORTED", "error": "Maintenance", "cause": "Back soon."},
            "cancelled",
            "Maintenance",
            "The execution was stopped. Back soon.",
        ),
        (
            {"status": "TIMED_OUT"},
            "failed",
            "execution_timed_out",
            "The execution took longer than the workflow allows.",
        ),
        (
            {"status": "FAILED", "error": "States.Runtime", "cause": "History is full."},
            "failed",
            "States.Runtime",
            "The execution failed. History is full.",
        ),
    ],
)
def test_an_open_run_is_recorded_cancelled_upstream_and_announced(
    invoke: Invoke,
    created: Recorded,
    store: DynamoDBRunRepository,
    laptop: LocalStack,
    hearing: EventListener,
    detail: dict[str, Any],
    status: str,
    code: str,
    words: str,
) -> None:
    run = created(Hang())

    assert invoke("CloseRunFunction", told(name=run.run_id, **detail)) == NOTHING_FAILED

    ended = store.get_run(run.run_id)
    assert (ended.status, ended.failure) == (status, Failure(status=status, code=code, message=words))
    assert [turn.phase for turn in laptop.emulator.brain.begun[run.model]] == ["cancelled"]
    (event,) = hearing.about(run.run_id)
    assert event["detail-type"] == ("Run Cancelled" if status == "cancelled" else "Run Failed")
    assert event["detail"]["failure"]["code"] == code


def test_the_same_end_told_twice_is_announced_once(
    invoke: Invoke, recorded: Recorded, hearing: EventListener
) -> None:
    run = recorded()
    for _ in range(2):
        invoke("CloseRunFunction", told(name=run.run_id, status="ABORTED"))

    assert len(hearing.about(run.run_id, all_there_are=True)) == 1


def test_a_run_that_the_workflow_has_failed_is_left_alone(
    invoke: Invoke, recorded: Recorded, store: DynamoDBRunRepository, hearing: EventListener
) -> None:
    run = recorded()
    store.record_failure(run, Failure(code="limit_rounds", message="Too many."), Usage(), datetime.now(UTC))

    end = {"status": "FAILED", "error": "limit_rounds", "cause": WORKFLOW_CAUSE}
    invoke("CloseRunFunction", told(name=run.run_id, **end))

    assert hearing.about(run.run_id, all_there_are=True) == []


def test_a_failure_that_was_recorded_and_not_announced_for_a_failure_of_the_same_name_is_announced(
    invoke: Invoke,
    created: Recorded,
    store: DynamoDBRunRepository,
    laptop: LocalStack,
    hearing: EventListener,
) -> None:
    """A server that is down fails the poll, and then the cancelling in "Record failure", as TryAgain both times."""
    run = created(Hang())
    store.record_failure(
        run,
        Failure(code="TransientError", message="GET /responses/1: no connection"),
        Usage(),
        datetime.now(UTC),
    )

    cause = json.dumps(
        {"errorType": "TransientError", "errorMessage": "POST /responses/1/cancel: no connection"}
    )
    end = {"status": "FAILED", "error": "TransientError", "cause": cause}
    assert invoke("CloseRunFunction", told(name=run.run_id, **end)) == NOTHING_FAILED

    (event,) = hearing.about(run.run_id, all_there_are=True)
    assert event["detail"]["failure"]["message"] == "GET /responses/1: no connection"
    assert [turn.phase for turn in laptop.emulator.brain.begun[run.model]] == ["cancelled"]


def test_a_completed_run_that_was_not_announced_is_announced(
    invoke: Invoke, recorded: Recorded, store: DynamoDBRunRepository, hearing: EventListener
) -> None:
    run = recorded()
    store.complete_run(run, Message(text="All is well."), datetime.now(UTC))

    invoke("CloseRunFunction", told(name=run.run_id, status="FAILED", error="EventBridge.FailedEntry"))

    (event,) = hearing.about(run.run_id)
    assert event["detail-type"] == "Run Completed"
    assert (event["detail"]["message_excerpt"], event["detail"]["message_characters"]) == ("All is well.", 12)


def test_a_server_that_cannot_be_reached_is_tried_again_and_nothing_is_announced_twice(
    invoke: Invoke,
    created: Recorded,
    store: DynamoDBRunRepository,
    laptop: LocalStack,
    hearing: EventListener,
) -> None:
    run = created(Hang())
    laptop.emulator.brain.unspent(run.model).append(Fault("cancel", 503))
    event = told(name=run.run_id, status="ABORTED")

    failed = invoke("CloseRunFunction", event)
    assert [each["itemIdentifier"] for each in failed["batchItemFailures"]] == [
        event["Records"][0]["messageId"]
    ]
    assert store.get_run(run.run_id).status == "cancelled"
    assert invoke("CloseRunFunction", event) == NOTHING_FAILED

    assert [turn.phase for turn in laptop.emulator.brain.begun[run.model]] == ["cancelled"]
    assert len(hearing.about(run.run_id, all_there_are=True)) == 1


def test_an_end_that_cannot_be_read_is_a_dead_letter(invoke: Invoke) -> None:
    assert invoke("CloseRunFunction", told(status="LOST")) == NOTHING_FAILED


def test_a_message_stays_as_it_is(invoke: Invoke, created: Recorded, store: DynamoDBRunRepository) -> None:
    run = created(Say("Done."))
    store.complete_run(run, Message(text="Done."), datetime.now(UTC))

    invoke("CloseRunFunction", told(name=run.run_id, status="TIMED_OUT"))

    assert store.get_message(store.get_run(run.run_id)) == "Done."
