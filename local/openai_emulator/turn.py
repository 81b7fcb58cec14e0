"""One turn of the model: what it does in answer to a conversation, and when that shows.

Every protocol of the emulator is a way to start turns, to look at them and to answer their calls.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from local.openai_emulator.conversation import (
    Call,
    CallTools,
    Conversation,
    Exchange,
    Hang,
    Step,
)

Phase = Literal["queued", "in_progress", "cancelled", "done"]


@dataclass
class Turn:
    """A step of the model. Queued for half of the thinking time, in progress for the other half."""

    model: str
    conversation: Conversation
    step: Step
    thinking_seconds: float
    number: int
    created_at: float = field(default_factory=time.time)
    cancelled: bool = False

    @property
    def phase(self) -> Phase:
        """How far the turn has come; `done` means that its step shows."""
        if self.cancelled:
            return "cancelled"
        age = time.time() - self.created_at
        if isinstance(self.step, Hang) or age < self.thinking_seconds:
            return "queued" if age < self.thinking_seconds / 2 else "in_progress"
        return "done"

    @property
    def ready_at(self) -> float:
        """When the step shows, in seconds since the epoch."""
        return self.created_at + self.thinking_seconds

    @property
    def calls(self) -> dict[str, Call]:
        """The calls of the step by their ids."""
        calls = self.step.calls if isinstance(self.step, CallTools) else ()
        return {f"call_{self.number:x}_{i}": call for i, call in enumerate(calls, start=1)}

    def cancel(self) -> None:
        """Stop the turn, if it is not done."""
        self.cancelled = self.cancelled or self.phase != "done"

    def answered(self, outputs: Mapping[str, str]) -> Conversation:
        """The conversation with a round more: an output for each call of this turn."""
        round_ = tuple(Exchange(call, outputs[id_]) for id_, call in self.calls.items())
        return replace(self.conversation, rounds=(*self.conversation.rounds, round_))

    def tokens_in(self, instructions: str) -> int:
        """What the model read: four characters a token, near enough for English."""
        outputs = (each.output for round_ in self.conversation.rounds for each in round_)
        said = (text for _, text in self.conversation.said)
        return (len(instructions) + sum(map(len, said)) + sum(map(len, outputs))) // 4
