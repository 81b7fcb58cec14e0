import pytest
from support.sample_events import (
    FunctionError,
    Invoke,
    Recorded,
    sample,
)

from local.openai_emulator import Call, CallTools


def test_a_change_comes_back_with_all_that_the_workflow_needs(invoke: Invoke, recorded: Recorded) -> None:
    run = recorded(CallTools((Call("fetch", "{}"), Call("fetch", "{}"))))
    made = invoke("CreateRunFunction", sample("create_run", run_id=run.run_id))
    snapshot = invoke("PollRunFunction", sample("poll_run", run_id=run.run_id, handle=made["handle"]))

    assert snapshot["status"] == "requires_action"
    assert [call["name"] for call in snapshot["tool_calls"]] == ["fetch", "fetch"]
    assert snapshot["max_output_bytes"] > 100_000
    assert snapshot["pause_seconds"] == 0


def test_a_run_that_the_server_does_not_know_is_refused(invoke: Invoke) -> None:
    event = sample("poll_run", handle={"run_api": "responses", "ids": {"response_id": "resp_none"}})

    snapshot = invoke("PollRunFunction", event)

    assert snapshot["status"] == "failed"
    assert snapshot["failure"]["code"] == "RequestRejected"
    assert snapshot["failure"]["message"] == "404: Response with id 'resp_none' not found."


def test_an_event_that_is_not_the_workflows_is_refused_by_field(invoke: Invoke) -> None:
    with pytest.raises(FunctionError, match="handle"):
        invoke("PollRunFunction", {"run_id": "run_1"})
