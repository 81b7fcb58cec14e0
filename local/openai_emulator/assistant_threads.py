"""Threads and runs of the Assistants API, and their state."""

from dataclasses import dataclass
from typing import Any

from local.openai_emulator.conversation import CallTools, EndIncomplete, Fail
from local.openai_emulator.errors import ApiError
from local.openai_emulator.turn import Turn

Document = dict[str, Any]

TERMINAL_STATUSES = ("completed", "failed", "cancelled", "expired", "incomplete")

_DONE_STATUSES = {CallTools: "requires_action", Fail: "failed", EndIncomplete: "incomplete"}


@dataclass
class Run:
    """A run: the fields that do not change, and a turn of the model for each round."""

    document: Document
    turns: list[Turn]
    cancelling: bool = False
    cancelled_at: int | None = None

    @property
    def id(self) -> str:
        """The run's id."""
        return str(self.document["id"])

    @property
    def turn(self) -> Turn:
        """The latest turn."""
        return self.turns[-1]

    @property
    def status(self) -> str:
        """The run's status in the API's terms."""
        if self.cancelling:
            return "cancelling" if self.cancelled_at is None else "cancelled"
        if (phase := self.turn.phase) != "done":  # read once: it changes with time
            return phase
        if self.turn.step == EndIncomplete("expired"):
            return "expired"
        return _DONE_STATUSES.get(type(self.turn.step), "completed")


@dataclass(frozen=True)
class Thread:
    """A thread: its messages and its runs, oldest first.

    A run stands for its final message: while it is active, nothing else is added.
    """

    document: Document
    entries: list[Document | Run]

    @property
    def runs(self) -> list[Run]:
        """The runs, oldest first."""
        return [entry for entry in self.entries if isinstance(entry, Run)]

    def reject_while_active(self, message: str) -> None:
        """Reject a request if a run is active.

        The message has fields for the ids of the thread and the run.
        """
        for run in self.runs:
            if run.status not in TERMINAL_STATUSES:
                raise ApiError(400, message.format(thread=self.document["id"], run=run.id))
