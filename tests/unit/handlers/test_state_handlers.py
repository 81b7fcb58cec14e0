"""The handlers of the workflow's states: typed events, JSON results, and errors whose names the workflow knows."""

from typing import Any

import pytest
from support.fakes.clock import START
from support.run_records import UPSTREAM_RUN, USAGE, new_run
from support.sample_events import sample_event
from support.wired_handlers import WiredHandlers

from upcall.domain.errors import (
    InternalError,
    InvalidInput,
    NotFound,
    RequestRejected,
    RunAlreadyEnded,
    TransientError,
)
from upcall.domain.failure import Failure
from upcall.domain.run import Run
from upcall.domain.tool_calls import ToolCall
from upcall.domain.upstream_run import Message, UpstreamSnapshot
from upcall.domain.usage import Usage
from upcall.run_apis import get_run_api

TASKS = [
    "create_run",
    "poll_run",
    "record_failure",
    "save_message",
    "submit_tool_outputs",
    "wait_for_answer",
    "wait_for_change",
]


@pytest.fixture
def run(handlers: WiredHandlers) -> Run:
    """The run of the samples, queued."""
    return handlers.repository.add_run(
        new_run().model_copy(update={"run_id": sample_event("create_run")["run_id"]})
    )


@pytest.mark.parametrize("name", ["poll_run", "save_message", "submit_tool_outputs", "wait_for_change"])
def test_the_run_api_of_each_sample_exists(name: str) -> None:
    assert get_run_api(sample_event(name)["upstream_run"]["run_api"])


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("create_run", "seconds"),
        ("poll_run", "upstream_run"),
        ("record_failure", "failure"),
        ("save_message", "upstream_run"),
        ("submit_tool_outputs", "tool_outputs"),
        ("wait_for_answer", "call"),
        ("wait_for_change", "counters"),
    ],
)
def test_an_event_without_a_field_is_rejected_by_the_fields_name(
    handlers: WiredHandlers, name: str, field: str
) -> None:
    event = sample_event(name)
    del event[field]

    with pytest.raises(InvalidInput, match=f"{field}: Field required"):
        handlers.invoke(name, event)


@pytest.mark.parametrize("name", TASKS)
def test_an_event_with_an_unknown_field_is_rejected(handlers: WiredHandlers, name: str) -> None:
    with pytest.raises(InvalidInput, match="colour: Extra inputs are not permitted"):
        handlers.invoke(name, sample_event(name, colour="red"))


@pytest.mark.parametrize("name", ["create_run", "record_failure", "save_message", "submit_tool_outputs"])
def test_a_run_that_does_not_exist_is_not_found(handlers: WiredHandlers, name: str) -> None:
    with pytest.raises(NotFound):
        handlers.invoke(name, sample_event(name))


def test_create_run_returns_upstream_ids_tools_limits_and_counters(handlers: WiredHandlers, run: Run) -> None:
    handlers.run_api.snapshots = [UpstreamSnapshot(status="completed", usage=USAGE)]

    assert handlers.invoke("create_run", sample_event("create_run")) == {
        "status": "completed",
        "tool_calls": [],
        "ticket": None,
        "max_output_bytes": 0,
        "usage": USAGE.model_dump(),
        "upstream_run": UPSTREAM_RUN.model_dump(),
        "updates": "polled",
        "stream": False,
        "pause_seconds": 0,
        "failure": None,
        "still_running": False,
        "repeat": False,
        "errors": {"count": 0, "last": "", "failed_turns": 0},
        "tools": ["fetch", "read_object"],
        "approval": {},
        "limits": {
            "rounds": 10,
            "calls_per_round": 50,
            "seconds": 900,
            "answer_seconds": 259_200,
            "tokens": 1_000_000,
            "usd": None,
        },
        "completion_window": None,
        "round": 0,
        "tokens": 0,
        "usd": None,
        "price": None,
        "answered_calls": 0,
    }
    assert handlers.repository.get_run(run.run_id).status == "in_progress"


def test_create_run_requests_a_turn_again_that_failed_and_counts_what_it_used(
    handlers: WiredHandlers, run: Run
) -> None:
    handlers.repository.record_creation(run, UPSTREAM_RUN, "polled")
    event = sample_event(
        "create_run",
        failed_upstream_run=UPSTREAM_RUN.model_dump(),
        failed_usage=USAGE.model_dump(),
        errors={"count": 0, "last": "Slow down.", "failed_turns": 1},
    )
    handlers.run_api.snapshots = [UpstreamSnapshot(status="in_progress")]

    result = handlers.invoke("create_run", event)

    assert result["upstream_run"]["ids"] == {"response_id": "again_1"}
    assert result["tokens"] == USAGE.total_tokens
    assert result["errors"] == {"count": 0, "last": "Slow down.", "failed_turns": 1}


def test_create_run_offers_only_public_tools_where_tenants_share_the_stack(
    handlers: WiredHandlers, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENANCY", "many")

    assert handlers.invoke("create_run", sample_event("create_run"))["tools"] == ["fetch"]


def test_create_run_of_a_run_that_has_ended_is_an_error_that_the_workflow_knows(
    handlers: WiredHandlers, run: Run
) -> None:
    handlers.repository.complete_run(run, Message(text="Done."), START)

    with pytest.raises(RunAlreadyEnded):
        handlers.invoke("create_run", sample_event("create_run"))
    assert handlers.run_api.created == []


def test_poll_run_returns_all_that_the_workflow_needs(handlers: WiredHandlers) -> None:
    calls = (ToolCall(call_id="c1", name="fetch", arguments="{}"),) * 2
    handlers.run_api.snapshots = [UpstreamSnapshot.requires_action(calls, USAGE)]

    snapshot = handlers.invoke("poll_run", sample_event("poll_run"))

    assert snapshot["status"] == "requires_action"
    assert [call["name"] for call in snapshot["tool_calls"]] == ["fetch", "fetch"]
    assert snapshot["max_output_bytes"] > 100_000
    assert snapshot["pause_seconds"] == 0
    assert snapshot["usage"] == USAGE.model_dump()


def test_wait_for_change_returns_a_run_that_has_changed(handlers: WiredHandlers) -> None:
    handlers.run_api.snapshots = [UpstreamSnapshot(status="completed", usage=USAGE)]

    assert handlers.invoke("wait_for_change", sample_event("wait_for_change"))["status"] == "completed"


def test_wait_for_change_stores_the_token_and_returns_nothing_while_the_model_is_at_work(
    handlers: WiredHandlers,
) -> None:
    handlers.run_api.snapshots = [UpstreamSnapshot(status="in_progress")]

    event = sample_event("wait_for_change", task_token="token")  # noqa: S106  # of a test
    assert handlers.invoke("wait_for_change", event) == {}

    task = handlers.repository.get_waiting_task("resp_000000000001")
    assert task
    assert (task.task_token, task.counters.seconds) == ("token", 60)


def test_poll_run_of_a_run_that_the_server_does_not_know_is_a_failure(handlers: WiredHandlers) -> None:
    message = "404: Response with id 'resp_none' not found."
    handlers.run_api.fail_next("poll", RequestRejected(message))

    snapshot = handlers.invoke("poll_run", sample_event("poll_run"))

    assert snapshot["status"] == "failed"
    assert snapshot["failure"] == {"status": "failed", "code": "RequestRejected", "message": message}


def test_submit_tool_outputs_returns_the_next_upstream_ids(handlers: WiredHandlers, run: Run) -> None:
    event = sample_event("submit_tool_outputs")

    result = handlers.invoke("submit_tool_outputs", event)

    assert result["upstream_run"]["ids"] == {"response_id": "resp_2"}
    assert (result["pause_seconds"], result["failure"]) == (0, None)
    (entry,) = handlers.repository.get_ledger(run.run_id)
    assert entry.output.output == event["tool_outputs"][0]["output"]
    assert handlers.repository.get_run(run.run_id).usage == Usage.model_validate(event["usage"])


@pytest.mark.parametrize(
    ("name", "method"), [("create_run", "create"), ("poll_run", "poll"), ("submit_tool_outputs", "submit")]
)
def test_errors_of_the_server_go_through_the_workflow_and_are_counted(
    handlers: WiredHandlers, run: Run, name: str, method: Any
) -> None:
    """As JSON: the workflow passes on what it got, and an empty object at first."""
    event = sample_event(name)
    errors: dict[str, Any] = {}
    for count in (1, 2, 3):
        handlers.run_api.fail_next(method, TransientError("503", detail=f"503: Try {count}."))
        if name == "poll_run":
            event["counters"]["errors"] = errors
        else:
            event["errors"] = errors

        result = handlers.invoke(name, event)

        errors = result["errors"]
        assert errors == {"count": count, "last": f"503: Try {count}.", "failed_turns": 0}
        assert result["failure"] is None
        assert result["pause_seconds"] > 0


def test_save_message_publishes_the_final_event(handlers: WiredHandlers, run: Run) -> None:
    handlers.run_api.message = Message(text="Grüße 😀", usage=USAGE)

    result = handlers.invoke("save_message", sample_event("save_message"))

    assert result == {"status": "completed", "failure_code": ""}
    (event,) = handlers.publisher.events
    assert (event.event, event.run_id, event.status) == ("Run Completed", run.run_id, "completed")
    assert (event.message_excerpt, event.failure) == ("Grüße 😀", None)
    assert event.usage == USAGE
    assert event.ended_at == START


def test_record_failure_publishes_the_final_event(handlers: WiredHandlers, run: Run) -> None:
    handlers.repository.record_creation(run, UPSTREAM_RUN, "polled")

    result = handlers.invoke("record_failure", sample_event("record_failure"))

    assert result == {"status": "failed", "failure_code": "limit_seconds"}
    (event,) = handlers.publisher.events
    assert (event.event, event.status) == ("Run Failed", "failed")
    assert event.failure
    assert event.failure.code == "limit_seconds"
    assert event.usage.total_tokens == 144
    assert handlers.run_api.cancelled == [UPSTREAM_RUN]


def test_record_failure_of_a_run_that_was_not_created_cancels_nothing(
    handlers: WiredHandlers, run: Run
) -> None:
    assert handlers.invoke("record_failure", sample_event("record_failure"))["status"] == "failed"
    assert handlers.run_api.cancelled == []


@pytest.mark.parametrize(
    ("code", "message", "recorded_code", "recorded_message"),
    [
        (
            "RequestRejected",
            '{"errorType": "RequestRejected", "errorMessage": "401: No key.", "stackTrace": ["x"]}',
            "RequestRejected",
            "401: No key.",
        ),
        (
            "Lambda.TooManyRequestsException",
            "Rate exceeded.",
            "Lambda.TooManyRequestsException",
            "Rate exceeded.",
        ),
        ("States.Timeout", "", "Timeout", "Timeout, without a message"),
        ("States.Runtime", "[1]", "Runtime", "[1]"),
    ],
    ids=["an exception's document", "plain text", "no message", "other JSON"],
)
def test_record_failure_reads_the_message_of_a_caught_error(
    handlers: WiredHandlers, run: Run, code: str, message: str, recorded_code: str, recorded_message: str
) -> None:
    """A workflow cannot fail with an error whose name begins with `States.`."""
    event = sample_event("record_failure", failure={"code": code, "message": message})

    handlers.invoke("record_failure", event)

    failure = handlers.repository.get_run(run.run_id).failure
    assert failure == Failure(code=recorded_code, message=recorded_message)


@pytest.mark.parametrize("name", TASKS)
def test_an_unexpected_exception_is_an_internal_error_without_its_message(
    handlers: WiredHandlers, run: Run, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Run:
        raise KeyError("a secret")

    handlers.run_api.fail_next("poll", KeyError("a secret"))
    monkeypatch.setattr(handlers.repository, "get_run", fail)

    with pytest.raises(InternalError, match="^KeyError at ") as caught:
        handlers.invoke(name, sample_event(name))
    assert "secret" not in str(caught.value)


def test_wait_for_answer_lets_the_call_wait_and_returns_nothing(handlers: WiredHandlers, run: Run) -> None:
    event = sample_event("wait_for_answer")

    assert handlers.invoke("wait_for_answer", event) == {}
    (call,) = handlers.repository.list_open_calls(run)
    assert (call.waits_for, call.task_token) == ("approval", event["task_token"])
    assert [each.event for each in handlers.publisher.waiting_calls] == ["Approval Requested"]
