"""Tool calls that wait for an answer from outside."""

from datetime import timedelta
from typing import Any

from support.fakes.clock import START
from upcall.domain.open_calls import CallAnswer, OpenCall
from upcall.domain.tool_calls import Decision, ToolCall, ToolOutput

REFUND = ToolCall(call_id="call_1", name="refund", arguments='{"amount": 150, "order": "4711 äö 😀"}')
LOOKUP_TOOL = {
    "name": "lookup",
    "description": "Looks up an order.",
    "parameters": {
        "type": "object",
        "properties": {"order": {"type": "integer"}},
        "required": ["order"],
        "additionalProperties": False,
    },
}
"""A tool of a caller, as in the body of POST /runs."""

LATER = START + timedelta(minutes=10)


def open_call(**fields: Any) -> OpenCall:
    """A call that waits for an approval since START, for three days, with some fields changed."""
    waiting: dict[str, Any] = {
        "round": 1,
        "position": 1,
        "call": REFUND,
        "waits_for": "approval",
        "max_output_bytes": 2000,
        "since": START,
        "until": START + timedelta(days=3),
        "task_token": "token 1",
    }
    return OpenCall(**{**waiting, **fields})


def approval(**fields: Any) -> CallAnswer:
    """An approval of that call after ten minutes, with some fields of the decision changed."""
    decision: dict[str, Any] = {
        "decision": "approve",
        "reason": "Agreed.",
        "arguments_digest": REFUND.arguments_digest,
        "decided_by": "ann",
        "decided_at": LATER,
    }
    return CallAnswer(decision=Decision(**{**decision, **fields}), answered_at=LATER)


def output(text: str = "42") -> CallAnswer:
    """An output of the run's caller after ten minutes."""
    given = ToolOutput(call_id=REFUND.call_id, outcome="ok", output=text)
    return CallAnswer(output=given, answered_at=LATER)
