"""The time within which OpenAI completes a background response. The longer ones are discounted."""

from typing import Annotated, Literal

from pydantic import Field

from upcall.domain.errors import FieldError
from upcall.domain.limits import MAX_SECONDS, Limits

CompletionWindow = Annotated[
    Literal["soonest", "2h", "8h"],
    Field(description="When each turn must be done: 2h and 8h are discounted. Responses API only."),
]

SECONDS = {"soonest": 0, "2h": 7_200, "8h": 28_800}
"""How long one turn may take. `soonest` promises no time."""


def is_discounted(window: CompletionWindow | None) -> bool:
    """Whether the model takes its time: then nobody is in a hurry to see that it is done."""
    return window is not None and SECONDS[window] > 0


def limits_for(window: CompletionWindow | None, limits: Limits) -> Limits:
    """The limits of a run whose request names no time limit. Turns that take hours need the longest."""
    return limits.model_copy(update={"seconds": MAX_SECONDS}) if is_discounted(window) else limits


def window_exceeds_limit(window: CompletionWindow | None, limits: Limits) -> FieldError | None:
    """An error if the run would be stopped before its first turn has to be done. Each turn has a window."""
    if window is None or limits.seconds > SECONDS[window]:
        return None
    reason = f"{window} needs limits.seconds above {SECONDS[window]}; this run has {limits.seconds}"
    return FieldError("completion_window", reason)
