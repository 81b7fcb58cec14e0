"""How the bytes of the workflow's state are shared out among the calls and outputs of a round."""

from collections.abc import Sequence

from upcall.domain.json_size import json_bytes
from upcall.domain.tool_calls import ToolCall

MAX_STATE_BYTES = 262_144
"""Input, output and variables of a Step Functions state (AWS quota)."""

RESERVED_BYTES = 16_384
"""Of a state, for everything but calls and outputs."""

MIN_OUTPUT_BYTES = 1024
"""Each output may take at least so many bytes of JSON text, beside as many for its other fields."""


def output_budget(tool_calls: Sequence[ToolCall]) -> int:
    """Bytes of JSON text that each output of a round may take.

    Calls and outputs of a round pass through the state together. What the calls leave of it is shared out
    evenly.
    """
    left = _bytes_for(len(tool_calls)) - calls_bytes(tool_calls)
    return max(left // len(tool_calls), MIN_OUTPUT_BYTES)


def max_calls_bytes(count: int) -> int:
    """Bytes that so many calls may take in all, if each output is to have its minimum."""
    return _bytes_for(count) - MIN_OUTPUT_BYTES * count


def calls_bytes(tool_calls: Sequence[ToolCall]) -> int:
    """Bytes that these calls take in the state."""
    return sum(json_bytes(call.model_dump_json()) for call in tool_calls)


def _bytes_for(outputs: int) -> int:
    """Bytes for calls and the texts of so many outputs."""
    return MAX_STATE_BYTES - RESERVED_BYTES - MIN_OUTPUT_BYTES * outputs
