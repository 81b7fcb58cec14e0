"""The statuses of a run. They are the Assistants API's; each run API is translated into them."""

from typing import Literal

Status = Literal[
    "queued",
    "in_progress",
    "requires_action",
    "cancelling",
    "cancelled",
    "failed",
    "completed",
    "incomplete",
    "expired",
]
TerminalStatus = Literal["cancelled", "failed", "completed", "incomplete", "expired"]
FailureStatus = Literal["cancelled", "failed", "incomplete", "expired"]

TERMINAL_STATUSES: tuple[TerminalStatus, ...] = ("cancelled", "failed", "completed", "incomplete", "expired")
OPEN_STATUSES: tuple[Status, ...] = ("queued", "in_progress", "requires_action", "cancelling")
WORKING_STATUSES: tuple[Status, ...] = ("queued", "in_progress", "cancelling")
"""The model is at work; there is nothing for us to do."""
