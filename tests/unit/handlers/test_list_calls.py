import json

import pytest
from support.run_records import UPSTREAM_RUN, USAGE, new_run
from support.wired_handlers import WiredHandlers

from upcall.aws.run_repository import MAX_CALL_PAGE_BYTES
from upcall.domain.tool_calls import ToolCall, ToolOutput


def add_run_with_calls(handlers: WiredHandlers, rounds: int, output: str = "x" * 10) -> str:
    """The id of a run with three calls in each round."""
    run = handlers.repository.add_run(new_run())
    for number in range(1, rounds + 1):
        calls = [ToolCall(call_id=f"call_{number}_{n}", name="fetch", arguments="{}") for n in (1, 2, 3)]
        outputs = [ToolOutput(call_id=call.call_id, outcome="ok", output=output) for call in calls]
        handlers.repository.record_round(run, UPSTREAM_RUN, calls, outputs, USAGE)
        run = handlers.repository.get_run(run.run_id)
    return run.run_id


def list_all_calls(handlers: WiredHandlers, run_id: str, limit: int) -> list[dict[str, object]]:
    """The calls of all pages."""
    calls: list[dict[str, object]] = []
    query = {"limit": str(limit)}
    while True:
        page = handlers.request("list_calls", run_id=run_id, query=query).json
        assert len(page["calls"]) <= limit
        calls += page["calls"]
        if "next_cursor" not in page:
            return calls
        query["cursor"] = page["next_cursor"]


def test_the_ledger_is_listed_round_by_round_in_pages(handlers: WiredHandlers) -> None:
    run_id = add_run_with_calls(handlers, rounds=3)

    calls = list_all_calls(handlers, run_id, limit=2)

    ids = [f"call_{number}_{n}" for number in (1, 2, 3) for n in (1, 2, 3)]
    assert [entry["call"] for entry in calls] == [
        {"call_id": call_id, "name": "fetch", "arguments": "{}"} for call_id in ids
    ]
    assert [entry["round"] for entry in calls] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert calls[0]["output"] == {
        "call_id": "call_1_1",
        "outcome": "ok",
        "output": "x" * 10,
        "duration_ms": 0,
    }


def test_a_page_is_no_larger_than_a_response_may_be(handlers: WiredHandlers) -> None:
    run_id = add_run_with_calls(handlers, rounds=6, output="x" * 240_000)

    page = handlers.request("list_calls", run_id=run_id, query={"limit": "100"}).json

    assert len(json.dumps(page)) < MAX_CALL_PAGE_BYTES + 300_000
    assert "next_cursor" in page
    assert len(list_all_calls(handlers, run_id, limit=100)) == 18


def test_a_run_that_does_not_exist_has_no_ledger(handlers: WiredHandlers) -> None:
    response = handlers.request("list_calls")

    assert response.status == 404
    assert "there is no run" in response.json["detail"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"cursor": "call_1"}, "cursor"),
        ({"cursor": "0001#" + "x" * 252}, "cursor"),
    ],
)
def test_a_parameter_that_is_invalid_is_named(
    handlers: WiredHandlers, query: dict[str, str], field: str
) -> None:
    response = handlers.request("list_calls", query=query)

    assert response.status == 400
    assert response.invalid_fields == [field]
