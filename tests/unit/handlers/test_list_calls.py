"""GET /runs/{run_id}/calls: the ledger, in parts."""

import json
from typing import Any

from support.sample_events import Invoke, Recorded, sample

from upcall.aws.run_repository import MAX_CALLS_BYTES, DynamoDBRunRepository
from upcall.domain.tool_calls import ToolCall, ToolOutput
from upcall.domain.upstream_run import UpstreamRun
from upcall.domain.usage import Usage


def answered(invoke: Invoke, run_id: str, **query: str) -> dict[str, Any]:
    event = sample(
        "list_calls",
        rawPath=f"/runs/{run_id}/calls",
        pathParameters={"run_id": run_id},
        queryStringParameters=query,
    )
    event["requestContext"]["http"]["path"] = event["rawPath"]
    response: dict[str, Any] = invoke("ListCallsFunction", event)
    return response


def calls(invoke: Invoke, run_id: str, limit: int) -> list[dict[str, Any]]:
    """All calls, part by part."""
    found, query = [], {"limit": str(limit)}
    while True:
        part = json.loads(answered(invoke, run_id, **query)["body"])
        found += part["calls"]
        if "next_cursor" not in part:
            return found
        query["cursor"] = part["next_cursor"]


def with_ledger(recorded: Recorded, store: DynamoDBRunRepository, rounds: int, size: int) -> str:
    run = recorded()
    handle = UpstreamRun(run_api="responses", ids={"response": "resp_1"})
    for number in range(rounds):
        asked = [ToolCall(call_id=f"call_{number}_{n}", name="fetch", arguments="{}") for n in range(3)]
        outputs = [ToolOutput(call_id=each.call_id, outcome="ok", output="x" * size) for each in asked]
        store.record_round(run, handle, asked, outputs, Usage())
        run = store.get_run(run.run_id)
    return run.run_id


def test_the_ledger_is_listed_round_by_round_in_parts(
    invoke: Invoke, recorded: Recorded, store: DynamoDBRunRepository
) -> None:
    run_id = with_ledger(recorded, store, rounds=3, size=10)

    found = calls(invoke, run_id, limit=2)

    assert [each["call"]["call_id"] for each in found] == [
        f"call_{n}_{m}" for n in range(3) for m in range(3)
    ]
    assert [each["round"] for each in found] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert found[0]["output"]["output"] == "x" * 10


def test_a_part_holds_no_more_than_an_answer_can(
    invoke: Invoke, recorded: Recorded, store: DynamoDBRunRepository
) -> None:
    run_id = with_ledger(recorded, store, rounds=6, size=240_000)

    first = answered(invoke, run_id, limit="100")["body"]

    assert len(first) < MAX_CALLS_BYTES + 300_000
    assert "next_cursor" in json.loads(first)
    assert len(calls(invoke, run_id, limit=100)) == 18


def test_a_run_that_is_not_there_has_no_ledger(invoke: Invoke) -> None:
    response = invoke("ListCallsFunction", sample("list_calls"))

    assert response["statusCode"] == 404
    assert "there is no run" in json.loads(response["body"])["detail"]
