"""POST /runs/{run_id}/tool_outputs: the run's caller answers calls of its own tools."""

from typing import Any

import pytest
from support.open_calls import REFUND, open_call
from support.run_records import new_run
from support.wired_handlers import HttpResponse, WiredHandlers

from upcall.domain.run import Run


@pytest.fixture
def run(handlers: WiredHandlers) -> Run:
    """A run of ann's, two of whose calls wait for their outputs."""
    run = handlers.repository.add_run(new_run(owner="ann"))
    for position in (1, 2):
        call = REFUND.model_copy(update={"call_id": f"call_{position}"})
        waiting = open_call(
            waits_for="output",
            position=position,
            call=call,
            since=handlers.clock.now(),
            task_token=f"t{position}",
        )
        handlers.repository.open_call(run, waiting)
    return run


def give(handlers: WiredHandlers, run_id: str, *outputs: dict[str, Any], caller: str = "ann") -> HttpResponse:
    return handlers.request("receive_tool_outputs", run_id=run_id, body={"outputs": outputs}, caller=caller)


def test_outputs_are_taken_one_at_a_time(handlers: WiredHandlers, run: Run) -> None:
    first = give(handlers, run.run_id, {"call_id": "call_1", "output": "42"})
    second = give(handlers, run.run_id, {"call_id": "1-2", "error": "no such order"})

    assert (first.status, second.status) == (200, 200)
    assert [call["call_id"] for call in first.json["open_calls"]] == ["call_2"]
    assert (first.json["status"], second.json["status"]) == ("requires_action", "in_progress")
    given = {token: answer["output"] for token, answer in handlers.workflow.outputs.items()}
    assert [(token, each["outcome"], each["output"]) for token, each in given.items()] == [
        ("t1", "ok", "42"),
        ("t2", "error", '{"error": "no such order"}'),
    ]


@pytest.mark.parametrize(
    ("output", "field"),
    [
        ({"call_id": "call_1"}, "outputs.0"),
        ({"call_id": "call_1", "output": "x", "error": "x"}, "outputs.0"),
        ({"output": "x"}, "outputs.0.call_id"),
        ({"call_id": "call_1", "output": 42}, "outputs.0.output"),
        ({"call_id": "call_3", "output": "x"}, "outputs.0"),
        ({"call_id": "call_1", "output": "x" * 2000}, "outputs.0"),
    ],
    ids=["nothing", "both", "no id", "no text", "unknown", "too large"],
)
def test_an_invalid_output_is_rejected_and_nothing_is_taken(
    handlers: WiredHandlers, run: Run, output: dict[str, Any], field: str
) -> None:
    response = give(handlers, run.run_id, output, {"call_id": "call_2", "output": "42"})

    assert (response.status, response.invalid_fields) == (400, [field])
    assert handlers.workflow.outputs == {}


def test_an_empty_list_is_rejected(handlers: WiredHandlers, run: Run) -> None:
    assert give(handlers, run.run_id).invalid_fields == ["outputs"]


def test_the_same_output_again_changes_nothing_and_another_is_a_conflict(
    handlers: WiredHandlers, run: Run
) -> None:
    statuses = [
        give(handlers, run.run_id, {"call_id": "call_1", "output": text}).status
        for text in ("42", "42", "43")
    ]

    assert statuses == [200, 200, 409]


def test_a_run_of_another_tenant_is_not_there(
    handlers: WiredHandlers, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENANCY", "many")

    response = give(handlers, run.run_id, {"call_id": "call_1", "output": "42"}, caller="bob")

    assert (response.status, response.json["detail"]) == (404, f"there is no run {run.run_id!r}")
    assert handlers.workflow.outputs == {}
