"""Tools, the model's calls of them, and their outputs."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import ValidationError

from upcall.domain.model import Model

Outcome = Literal["ok", "error", "unknown"]


class ToolDefinition(Model):
    """A tool as the model sees it. `parameters` is a strict JSON schema."""

    name: str
    description: str
    parameters: Mapping[str, Any]


class ToolCall(Model):
    """A call that the model asks for.

    `arguments` is the model's own text, which should be a JSON object. `call_id` is the server's: it leads
    the output back to the call, and may be used again in another round. A run's round and the position in it
    tell calls apart.
    """

    call_id: str
    name: str
    arguments: str

    @property
    def fingerprint(self) -> str:
        """Tells a call from one with the same id, which a server may use again in another round."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    @property
    def arguments_digest(self) -> str:
        """Stands for exactly these arguments: an approval names it."""
        return arguments_digest(self.arguments)


def arguments_text(arguments: str) -> str:
    """The values of a call's arguments, or the model's own text if it is not a JSON object."""
    try:
        values = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    if isinstance(values, dict):
        return " ".join(str(value) for value in values.values() if value is not None)
    return arguments


def arguments_digest(arguments: str) -> str:
    """SHA-256 of the model's text, as UTF-8, in hexadecimal digits."""
    return hashlib.sha256(arguments.encode()).hexdigest()


class ToolOutput(Model):
    """What the model reads in answer to a call: the tool's output, or an error message.

    `unknown` means that the call may have had its effect; nobody can tell. `waited_seconds` is how long the
    call waited for an answer from outside, if it did.
    """

    call_id: str
    outcome: Outcome
    output: str
    started_at: datetime | None = None
    duration_ms: int = 0
    waited_seconds: int | None = None

    @classmethod
    def from_result(cls, call: ToolCall, result: object) -> Self:
        """The output in a tool function's result; an error if the result holds none for this call."""
        try:
            output = cls.model_validate(result)
        except ValidationError:
            output = None
        if output is not None and output.call_id == call.call_id:
            return output
        message = f"The tool {call.name} gave no readable output. Whether it had an effect is not known."
        return cls(call_id=call.call_id, outcome="error", output=json.dumps({"error": message}))


class Decision(Model):
    """What a person decided about a call, and about which arguments."""

    decision: Literal["approve", "deny"]
    reason: str = ""
    arguments_digest: str
    decided_by: str
    decided_at: datetime

    def repeats(self, other: "Decision | None") -> bool:
        """Whether the same person has decided the same before."""
        return other is not None and self == other.model_copy(update={"decided_at": self.decided_at})


class LedgerEntry(Model):
    """A tool call, its output, and the decision about it if one was needed.

    Round and position, which count from 1, identify a call of a run.
    """

    round: int
    position: int
    call: ToolCall
    output: ToolOutput
    decision: Decision | None = None

    @property
    def id(self) -> str:
        """`<round>-<position>`, as while the call was open."""
        return f"{self.round}-{self.position}"


def tool_ms(entries: Sequence[LedgerEntry]) -> int:
    """How long the tools of these calls took, one after the other."""
    return sum(entry.output.duration_ms for entry in entries)


def waited_seconds(entries: Sequence[LedgerEntry]) -> int:
    """How long the calls of a round waited for answers from outside. They wait at the same time."""
    return max((entry.output.waited_seconds or 0 for entry in entries), default=0)
