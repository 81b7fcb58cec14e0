"""A turn of a model: its step for a conversation, and when that step becomes visible.

Every protocol of the emulator starts turns, reads them and sends the outputs of their calls.
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
    """A turn of a model. It is queued for half of `model_seconds`, and in progress for the other half."""

    model: str
    conversation: Conversation
    step: Step
    model_seconds: float
    number: int
    created_at: float = field(default_factory=time.time)
    cancelled: bool = False

    @property
    def phase(self) -> Phase:
        """The phase at this time. The step is visible in the phase `done`."""
        if self.cancelled:
            return "cancelled"
        age = time.time() - self.created_at
        if isinstance(self.step, Hang) or age < self.model_seconds:
            return "queued" if age < self.model_seconds / 2 else "in_progress"
        return "done"

    @property
    def done_at(self) -> float:
        """When the step becomes visible, in seconds since the epoch."""
        return self.created_at + self.model_seconds

    @property
    def calls(self) -> dict[str, Call]:
        """The calls of the step by their ids."""
        calls = self.step.calls if isinstance(self.step, CallTools) else ()
        return {f"call_{self.number:x}_{i}": call for i, call in enumerate(calls, start=1)}

    def cancel(self) -> bool:
        """Cancel the turn, unless it is done. Returns whether this call cancelled it."""
        cancels = not self.cancelled and self.phase != "done"
        self.cancelled = self.cancelled or cancels
        return cancels

    def with_outputs(self, outputs: Mapping[str, str]) -> Conversation:
        """The conversation with one more round: an output for each call of this turn."""
        round_ = tuple(Exchange(call, outputs[id_]) for id_, call in self.calls.items())
        return replace(self.conversation, rounds=(*self.conversation.rounds, round_))

    def input_tokens(self, instructions: str) -> int:
        """The tokens of the model's input, estimated as four characters each."""
        outputs = (each.output for round_ in self.conversation.rounds for each in round_)
        texts = (text for _, text in self.conversation.messages)
        return (len(instructions) + sum(map(len, texts)) + sum(map(len, outputs))) // 4

    def cached_tokens(self, instructions: str) -> int:
        """The tokens of the input that the turn before has read: 1,024 or more, in steps of 128.

        Source: https://platform.openai.com/docs/guides/prompt-caching.
        """
        rounds = self.conversation.rounds
        if not rounds:
            return 0
        before = replace(self, conversation=replace(self.conversation, rounds=rounds[:-1]))
        tokens = before.input_tokens(instructions)
        return tokens // 128 * 128 if tokens >= 1024 else 0
