"""A webhook completes the task that waits for its run, once, if the run has changed."""

from collections.abc import Callable

import pytest
from support.fakes.clock import FakeClock
from support.fakes.run_api import FakeRunApi
from support.fakes.run_repository import InMemoryRunRepository
from support.fakes.workflow import InMemoryWorkflow
from support.run_records import CALL, USAGE, WAITING_TASK

from upcall.domain.errors import InvalidInput, TransientError
from upcall.domain.upstream_run import UpstreamSnapshot
from upcall.domain.waiting_task import WaitingTask
from upcall.domain.webhook import WebhookEvent, parse_webhook
from upcall.use_cases.receive_webhook import receive_webhook

TASK = WAITING_TASK.model_copy(update={"result": {"updates": "pushed"}})
CHANGED = UpstreamSnapshot.requires_action((CALL,), USAGE)

Receive = Callable[..., None]
"""Receive a message of this id about this upstream run."""


@pytest.fixture
def receive(
    repository: InMemoryRunRepository, run_api: FakeRunApi, workflow: InMemoryWorkflow, clock: FakeClock
) -> Receive:
    run_api.snapshots = [CHANGED]

    def call(message_id: str = "evt_1", upstream_id: str = "resp_1") -> None:
        receive_webhook(
            message_id,
            WebhookEvent(type="response.completed", upstream_id=upstream_id),
            repository=repository,
            get_run_api=run_api.get,
            waiting_tasks=workflow,
            clock=clock,
        )

    return call


@pytest.fixture
def waiting(repository: InMemoryRunRepository) -> WaitingTask:
    repository.add_waiting_task("resp_1", TASK)
    return TASK


@pytest.mark.usefixtures("waiting")
def test_the_task_is_completed_with_how_the_run_stands(receive: Receive, workflow: InMemoryWorkflow) -> None:
    receive()

    assert workflow.outputs == {"token": {**CHANGED.model_dump(mode="json"), "updates": "pushed"}}


@pytest.mark.usefixtures("waiting")
def test_a_message_that_comes_again_does_nothing(
    receive: Receive, workflow: InMemoryWorkflow, run_api: FakeRunApi
) -> None:
    receive("evt_1")
    receive("evt_1")

    assert len(run_api.polled) == 1
    assert len(workflow.outputs) == 1


@pytest.mark.usefixtures("waiting")
def test_of_two_messages_at_once_one_completes_the_task(
    receive: Receive, workflow: InMemoryWorkflow, run_api: FakeRunApi
) -> None:
    run_api.during_next("poll", lambda: receive("evt_2"))

    receive("evt_1")

    assert list(workflow.outputs) == ["token"]


def test_a_message_before_the_token_or_about_another_stacks_run_does_nothing(
    receive: Receive, workflow: InMemoryWorkflow, run_api: FakeRunApi
) -> None:
    receive()

    assert (workflow.outputs, run_api.polled) == ({}, [])


@pytest.mark.usefixtures("waiting")
def test_a_message_after_the_end_of_the_task_does_nothing(
    receive: Receive, workflow: InMemoryWorkflow
) -> None:
    workflow.ended_tasks.add("token")

    receive()

    assert workflow.outputs == {}


@pytest.mark.usefixtures("waiting")
def test_a_run_that_is_still_at_work_stays_waiting(
    receive: Receive, workflow: InMemoryWorkflow, run_api: FakeRunApi
) -> None:
    """A late message about an earlier turn of a session, for example."""
    run_api.snapshots = [UpstreamSnapshot(status="in_progress"), CHANGED]

    receive("evt_1")
    assert workflow.outputs == {}

    receive("evt_2")
    assert list(workflow.outputs) == ["token"]


@pytest.mark.usefixtures("waiting")
def test_a_run_that_cannot_be_looked_at_is_left_to_the_workflow(
    receive: Receive, workflow: InMemoryWorkflow, run_api: FakeRunApi
) -> None:
    run_api.fail_next("poll", TransientError("503"))

    receive()

    output = workflow.outputs["token"]
    assert (output["status"], output["errors"]["last"]) == ("in_progress", "503")
    assert output["pause_seconds"] > 0


@pytest.mark.usefixtures("waiting")
def test_the_seconds_go_on_while_a_task_waits(
    receive: Receive, workflow: InMemoryWorkflow, run_api: FakeRunApi, clock: FakeClock
) -> None:
    run_api.snapshots = [UpstreamSnapshot(status="in_progress")]
    clock.advance(901)

    receive()

    assert workflow.outputs["token"]["failure"]["code"] == "limit_seconds"


@pytest.mark.usefixtures("waiting")
def test_the_same_message_twice_at_once_completes_the_task_once(
    receive: Receive, workflow: InMemoryWorkflow, run_api: FakeRunApi
) -> None:
    run_api.during_next("poll", lambda: receive("evt_1"))

    receive("evt_1")

    assert list(workflow.outputs) == ["token"]


@pytest.mark.usefixtures("waiting")
def test_a_message_whose_function_was_killed_is_taken_up_when_it_comes_again(
    receive: Receive, workflow: InMemoryWorkflow, run_api: FakeRunApi
) -> None:
    run_api.fail_next("poll", KeyboardInterrupt())  # type: ignore[arg-type]  # nothing catches it
    with pytest.raises(KeyboardInterrupt):
        receive("evt_1")

    receive("evt_1")

    assert list(workflow.outputs) == ["token"]


@pytest.mark.usefixtures("waiting")
def test_a_message_whose_work_failed_is_taken_up_when_it_comes_again(
    receive: Receive, workflow: InMemoryWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bool:
        raise TransientError("SendTaskSuccess: ThrottlingException")

    with monkeypatch.context() as patch:
        patch.setattr(workflow, "complete_task", fail)
        with pytest.raises(TransientError):
            receive("evt_1")
    receive("evt_1")

    assert list(workflow.outputs) == ["token"]


def test_an_event_of_a_run_is_read() -> None:
    body = b'{"id": "evt_1", "object": "event", "type": "agent.session.idle", "data": {"id": "sess_1"}}'

    assert parse_webhook(body) == WebhookEvent(type="agent.session.idle", upstream_id="sess_1")


def test_other_events_are_none() -> None:
    assert parse_webhook(b'{"type": "batch.completed", "data": {"id": "batch_1"}}') is None


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"type": "response.completed"}', b"\xff", b'{"type": 7}']
)
def test_what_is_no_event_is_rejected(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse_webhook(body)
