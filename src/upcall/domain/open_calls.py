"""Calls that wait for an answer from outside: a person's decision, or an output of the run's caller."""

from datetime import datetime, timedelta
from math import ceil
from typing import Literal

from upcall.domain.limits import Limits
from upcall.domain.model import Model
from upcall.domain.output_text import error_text
from upcall.domain.tool_calls import Decision, ToolCall, ToolOutput

WaitsFor = Literal["approval", "output"]
"""A call of a function waits for an approval, a call of a caller's tool for its output."""


class CallAnswer(Model):
    """What a call was answered with: a decision, an output of the run's caller, or neither in time.

    `output` is None if the call was approved: then its function gives the output.
    """

    decision: Decision | None = None
    output: ToolOutput | None = None
    answered_at: datetime

    def repeats(self, other: "CallAnswer") -> bool:
        """Whether somebody gives the answer again that was given before."""
        if self.decision is not None:
            return self.decision.repeats(other.decision)
        if self.output is None or other.output is None or other.decision is not None:
            return False
        return (self.output.outcome, self.output.output) == (other.output.outcome, other.output.output)


class CallAnswered(Model):
    """The answer to a call, for the workflow: the output, or the digest of the approved arguments."""

    approved_digest: str | None = None
    output: ToolOutput | None = None
    waited_seconds: int | None = None


class OpenCall(Model):
    """A call that waits, or has waited. `until` is when it is answered with an error.

    `task_token` completes the task of the workflow that waits. `event_published` is set once the call was
    made known.
    """

    round: int
    position: int
    call: ToolCall
    waits_for: WaitsFor
    max_output_bytes: int
    since: datetime
    until: datetime
    task_token: str
    event_published: bool = False
    answer: CallAnswer | None = None

    @property
    def id(self) -> str:
        """Identifies the call in its run: `<round>-<position>`. The server's own id may come again."""
        return f"{self.round}-{self.position}"

    @property
    def entry(self) -> str:
        """The call in the record of its run."""
        return f"{self.waits_for} {self.id}"

    @property
    def answered(self) -> CallAnswered | None:
        """The answer for the workflow, if there is one."""
        if self.answer is None:
            return None
        waited = max(ceil((self.answer.answered_at - self.since).total_seconds()), 0)
        if self.answer.output is None:
            return CallAnswered(approved_digest=self.call.arguments_digest, waited_seconds=waited)
        output = self.answer.output.model_copy(update={"waited_seconds": waited})
        return CallAnswered(output=output, waited_seconds=waited)

    def error(self, message: str) -> ToolOutput:
        """An error as the output of this call."""
        text = error_text(message, self.max_output_bytes)
        return ToolOutput(call_id=self.call.call_id, outcome="error", output=text)

    def timed_out(self, now: datetime) -> CallAnswer | None:
        """The answer to a call whose time is over; None if it has time left."""
        if now < self.until:
            return None
        message = {
            "approval": f"Nobody approved the call of {self.call.name} in time, so it was not made.",
            "output": f"The call of {self.call.name} got no output in time. It may have had an effect.",
        }[self.waits_for]
        return CallAnswer(output=self.error(message), answered_at=now)


def answer_until(limits: Limits, since: datetime, expiry: datetime) -> datetime:
    """Until when a call may wait, so that its run can end before it is deleted at `expiry`."""
    latest = expiry - timedelta(seconds=limits.seconds)
    return max(min(since + timedelta(seconds=limits.answer_seconds), latest), since)


def needs_caller(waiting_calls: frozenset[str]) -> bool:
    """Whether the run's caller must answer a call, by the entries in the run's record."""
    return any(entry.startswith("output ") for entry in waiting_calls)
