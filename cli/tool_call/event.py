"""The event of a tool call that no model makes."""

import uuid

from upcall.tool import ToolEvent

RUN_ID_PREFIX = "run_by_hand_"
"""Each call is one of a new run: a tool with the effect "once" runs each time."""

MAX_OUTPUT_BYTES = 200_000
"""About as much as the output of a single call in a round may have."""


def event_by_hand(arguments: str) -> ToolEvent:
    """The event of a call with these arguments, as JSON text."""
    return ToolEvent(
        run_id=f"{RUN_ID_PREFIX}{uuid.uuid4().hex}",
        round=1,
        position=1,
        call_id="call_1",
        arguments=arguments,
        max_output_bytes=MAX_OUTPUT_BYTES,
    )
