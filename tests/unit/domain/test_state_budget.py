import json

import pytest

from upcall.domain.limits import MAX_CALLS_PER_ROUND
from upcall.domain.state_budget import (
    MAX_STATE_BYTES,
    MIN_OUTPUT_BYTES,
    calls_bytes,
    max_calls_bytes,
    output_budget,
)
from upcall.domain.tool_calls import ToolCall


def calls(number: int, arguments: str = "{}") -> tuple[ToolCall, ...]:
    return tuple(ToolCall(call_id=f"call_{i}", name="fetch", arguments=arguments) for i in range(number))


@pytest.mark.parametrize("number", [1, 2, 10, 40])
@pytest.mark.parametrize("arguments", ["{}", '{"text": "' + "ä" * 500 + '"}'])
def test_the_calls_of_a_round_and_their_outputs_fit_into_the_state(number: int, arguments: str) -> None:
    tool_calls = calls(number, arguments)
    output = "x" * (output_budget(tool_calls) - 2)
    state = {
        "tool_calls": [call.model_dump() for call in tool_calls],
        "tool_outputs": [
            {
                "call_id": call.call_id,
                "outcome": "ok",
                "output": output,
                "started_at": "2026-11-20T12:00:00.000000Z",
                "duration_ms": 123456,
            }
            for call in tool_calls
        ],
    }

    assert len(json.dumps(state)) < MAX_STATE_BYTES


def test_the_output_of_a_single_call_may_take_most_of_the_state() -> None:
    assert output_budget(calls(1)) > 240_000


def test_an_output_has_its_minimum_whatever_the_size_of_the_calls() -> None:
    assert output_budget(calls(1, "x" * 300_000)) == MIN_OUTPUT_BYTES == 1024


@pytest.mark.parametrize("number", [1, 2, MAX_CALLS_PER_ROUND])
def test_calls_of_the_maximum_size_leave_each_output_its_minimum(number: int) -> None:
    largest = max_calls_bytes(number)
    tool_calls = [*calls(number - 1), ToolCall(call_id="last", name="fetch", arguments="")]
    padding = largest - calls_bytes(tool_calls)
    tool_calls[-1] = ToolCall(call_id="last", name="fetch", arguments="x" * padding)

    assert calls_bytes(tool_calls) == largest
    assert output_budget(tool_calls) == MIN_OUTPUT_BYTES


def test_the_size_of_calls_is_that_of_their_escaped_json() -> None:
    (call,) = calls(1, '"ä"')

    assert calls_bytes([call]) == len(json.dumps(call.model_dump_json()))
    assert calls_bytes([call, call]) == 2 * calls_bytes([call])
    assert calls_bytes([]) == 0
