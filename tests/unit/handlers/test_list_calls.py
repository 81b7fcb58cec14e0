import json

import pytest
from support.run_records import UPSTREAM_RUN, USAGE, answered_round, new_run
from support.wired_handlers import WiredHandlers

from upcall.domain.tool_calls import ToolCall
from upcall.domain.views import MAX_CALLS_BYTES


def add_run_with_calls(handlers: WiredHandlers, rounds: int, output: str = "x" * 10) -> str:
    """The id of a run with three calls in each round."""
    run = handlers.repository.add_run(new_run())
    for number in range(1, rounds + 1):
        calls = [ToolCall(call_id=f"call_{number}_{n}", name="fetch", arguments="{}") for n in (1, 2, 3)]
        handlers.repository.record_round(run, UPSTREAM_RUN, answered_round(number, calls, output), USAGE)
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


@pytest.mark.parametrize("output", ["x" * 240_000, "\x01" * 240_000], ids=["text", "escapes"])
def test_a_page_is_no_larger_than_a_response_may_be(handlers: WiredHandlers, output: str) -> None:
    run_id = add_run_with_calls(handlers, rounds=6, output=output)

    response = handlers.request("list_calls", run_id=run_id, query={"limit": "100"})

    assert len(json.dumps(json.dumps(response.json))) < MAX_CALLS_BYTES + 1_800_000 < 6_000_000
    assert "next_cursor" in response.json
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
        ({"cursor": "0001#call_1"}, "cursor"),
        ({"cursor": "0001#0001#"}, "cursor"),
        ({"cursor": "0001#0001\n"}, "cursor"),
    ],
)
def test_a_parameter_that_is_invalid_is_named(
    handlers: WiredHandlers, query: dict[str, str], field: str
) -> None:
    response = handlers.request("list_calls", query=query)

    assert response.status == 400
    assert response.invalid_fields == [field]
