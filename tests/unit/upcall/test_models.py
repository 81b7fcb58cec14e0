import json

import pytest

from upcall.domain.failure import Failure
from upcall.domain.state_budget import MAX_STATE_BYTES, output_budget
from upcall.domain.tool_calls import ToolCall
from upcall.domain.upstream_run import UpstreamSnapshot
from upcall.domain.usage import Usage


def calls(number: int, arguments: str = "{}") -> tuple[ToolCall, ...]:
    return tuple(ToolCall(call_id=f"call_{i}", name="fetch", arguments=arguments) for i in range(number))


@pytest.mark.parametrize("number", [1, 2, 10, 40])
@pytest.mark.parametrize("arguments", ["{}", '{"text": "' + "ä" * 500 + '"}'])
def test_the_shares_of_a_round_and_its_calls_fit_into_the_state(number: int, arguments: str) -> None:
    made = calls(number, arguments)
    output = "x" * (output_budget(made) - 2)
    state = {
        "tool_calls": [call.model_dump() for call in made],
        "tool_outputs": [
            {
                "call_id": call.call_id,
                "outcome": "ok",
                "output": output,
                "started_at": "2026-11-20T12:00:00.000000Z",
                "duration_ms": 123456,
            }
            for call in made
        ],
    }

    assert len(json.dumps(state)) < MAX_STATE_BYTES


def test_one_call_gets_most_of_the_state() -> None:
    assert output_budget(calls(1)) > 240_000


def test_a_share_is_never_nothing() -> None:
    assert output_budget(calls(1, "x" * 300_000)) == 1024


def test_usage_adds_up() -> None:
    used = Usage(input_tokens=1, output_tokens=2, total_tokens=3)

    assert used + used == Usage(input_tokens=2, output_tokens=4, total_tokens=6)


def test_a_failed_snapshot_has_the_status_of_its_failure() -> None:
    failure = Failure(status="expired", code="expired", message="Too late.")

    assert UpstreamSnapshot.failed(failure, Usage()).status == "expired"
