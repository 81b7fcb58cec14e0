"""Sessions of the Agents API, and their state.

A user's message starts a turn of the session. It keeps its id for all rounds of the model; each round is a
Turn of the emulator.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local.openai_emulator.conversation import (
    Call,
    CallTools,
    EndIncomplete,
    Fail,
)
from local.openai_emulator.turn import Turn

Json = Mapping[str, Any]

SETTLING_SECONDS = 0.03
"""The time until a tool result is visible after its 202, which means that it is accepted, not that it is
applied."""

_DONE_STATUSES = {CallTools: "waiting", Fail: "failed", EndIncomplete: "failed"}
_SESSION_STATUSES = {"queued": "in_progress", "in_progress": "in_progress", "waiting": "requires_action"}


@dataclass(frozen=True)
class TurnSnapshot:
    """What is visible of a turn at one time.

    A response is made from one snapshot, so that it is consistent.
    """

    status: str
    rounds: Sequence[Turn]
    results: Mapping[str, Json]
    pending: Mapping[str, Call] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether the turn has a terminal status."""
        return self.status not in _SESSION_STATUSES

    @property
    def session_status(self) -> str:
        """The session's status if this is its latest turn."""
        step = self.rounds[-1].step
        if self.status == "failed" and isinstance(step, Fail) and step.code == "session_failed":
            return "failed"
        return _SESSION_STATUSES.get(self.status, "idle")

    @property
    def error(self) -> dict[str, str] | None:
        """The error of a failed turn."""
        match self.rounds[-1].step if self.status == "failed" else None:
            case Fail(code, message):  # a turn has no code for the failure of a session
                return {"code": "internal_error" if code == "session_failed" else code, "message": message}
            case EndIncomplete(reason):
                return {"code": reason, "message": f"The turn stopped short: {reason}."}
        return None


@dataclass
class AgentTurn:
    """A turn of the Agents API: the user's messages, the rounds of the model, and the tool results.

    `results` are the events that brought them, by call id, each with the time at which it was accepted.
    """

    messages: Sequence[Json]
    rounds: list[Turn]
    results: dict[str, tuple[float, Json]] = field(default_factory=dict)
    cancelled_at: float | None = None

    @property
    def id(self) -> str:
        """The turn's id, made from its first round."""
        return f"turn_{self.rounds[0].number:012x}"

    def snapshot(self) -> TurnSnapshot:
        """What is visible now. A round is visible when the results before it have settled."""
        settled = time.time() - SETTLING_SECONDS
        results = {id_: event for id_, (accepted_at, event) in self.results.items() if accepted_at <= settled}
        rounds = list(self.rounds)
        if len(rounds) > 1 and not rounds[-2].calls.keys() <= results.keys():
            rounds.pop()
        last, phase = rounds[-1], rounds[-1].phase
        if self.cancelled_at is not None:
            return TurnSnapshot("cancelled", rounds, results)
        if phase != "done":
            return TurnSnapshot(phase if len(rounds) == 1 else "in_progress", rounds, results)
        pending = {id_: call for id_, call in last.calls.items() if id_ not in results}
        return TurnSnapshot(_DONE_STATUSES.get(type(last.step), "completed"), rounds, results, pending)

    def cancel(self) -> bool:
        """Cancel the turn, unless it has ended. Rounds that are not visible yet are dropped.

        Returns whether this call cancelled it.
        """
        snapshot = self.snapshot()
        if not snapshot.ended:
            self.cancelled_at = time.time()
            self.rounds = list(snapshot.rounds)
            self.rounds[-1].cancel()
        return not snapshot.ended


@dataclass(frozen=True)
class Session:
    """A session: its agent, its turns, oldest first, and its events by their idempotency keys."""

    id: str
    agent: Json
    metadata: Mapping[str, str]
    turns: list[AgentTurn]
    accepted: dict[str, Sequence[Json]] = field(default_factory=dict)
