"""The progress of a run as its events tell it: its statuses, and the tool calls of each round."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from upcall.domain.message_text import TextPiece
from upcall.domain.run_events import RequestedCallView, RunEvent
from upcall.domain.tool_calls import Outcome


@dataclass
class CallProgress:
    """A tool call and, if it has ended, its outcome. `waits` says that somebody has to answer it."""

    call: str
    name: str
    excerpt: str
    started_at: datetime
    ended_at: datetime | None = None
    outcome: Outcome | None = None
    output_bytes: int = 0
    error: str = ""
    waits: bool = False


@dataclass
class StatusProgress:
    """A status that the run has had. `note` is why it waits; `calls` are those of a round, by their ids."""

    name: str
    started_at: datetime
    ended_at: datetime | None = None
    note: str = ""
    calls: dict[str, CallProgress] = field(default_factory=dict)


@dataclass
class RunProgress:
    """The latest attempt of a run as far as it has come. `text` is what the model has written in its turn.

    `text_round` is the number of rounds before that turn.
    """

    statuses: list[StatusProgress] = field(default_factory=list)
    ended: bool = False
    text: str = ""
    text_round: int = 0

    def add(self, events: Iterable[RunEvent]) -> None:
        """Add events, which come in order. An event of a type that is not known changes nothing."""
        for event in events:
            if event.type == "run.queued":  # a retry begins anew
                self.statuses, self.ended = [StatusProgress("queued", event.at)], False
            elif event.type in ("run.in_progress", "run.requires_action"):
                self._enter(event)
            elif event.type == "run.paused":
                self._current(event).note = f"{event.reason} Trying again in {event.seconds} s."
            elif event.type.startswith("tool_call."):
                self._change_call(event)
            elif event.type.startswith("run."):
                self._end(event.at)
                self.ended = True

    def add_text(self, pieces: Iterable[TextPiece]) -> None:
        """Add pieces of text, which come in order."""
        for piece in pieces:
            self.text = piece.text if piece.offset == 0 else self.text + piece.text
            self.text_round = piece.round

    def _enter(self, event: RunEvent) -> None:
        name = event.type.removeprefix("run.")
        if self.statuses and self.statuses[-1].name == name:  # a turn that is requested again
            self.statuses[-1].note = ""
            return
        self._end(event.at)
        if (
            event.round is not None and event.round > self.text_round
        ):  # it was written before tools were called
            self.text = ""
        requested = event.calls if isinstance(event.calls, tuple) else ()
        calls = {each.call: _requested(each, event.at) for each in requested}
        self.statuses.append(StatusProgress(name, event.at, calls=calls))

    def _end(self, at: datetime) -> None:
        if self.statuses:
            self.statuses[-1].ended_at, self.statuses[-1].note = at, ""

    def _change_call(self, event: RunEvent) -> None:
        calls = self._current(event).calls
        key = event.call or ""
        call = calls.setdefault(key, CallProgress(key, event.name or "", "", event.started_at or event.at))
        call.waits = event.type == "tool_call.waiting"
        if event.type == "tool_call.ended":
            call.started_at, call.ended_at = event.started_at or call.started_at, event.at
            call.outcome, call.error = event.outcome, event.error or ""
            call.output_bytes = event.output_bytes or 0

    def _current(self, event: RunEvent) -> StatusProgress:
        if not self.statuses:
            self.statuses.append(StatusProgress("queued", event.at))
        return self.statuses[-1]


def _requested(call: RequestedCallView, at: datetime) -> CallProgress:
    return CallProgress(call.call, call.name, call.excerpt, at)
