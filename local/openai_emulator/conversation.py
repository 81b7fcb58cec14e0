"""What passes between a user and a model, in words of no protocol: what was said, and the next step."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Call:
    """A tool call of a step. `arguments` is sent as it stands, so that it may be broken."""

    name: str
    arguments: str

    @classmethod
    def of(cls, name: str, **arguments: Any) -> "Call":
        """A call with well-formed arguments."""
        return cls(name, json.dumps(arguments))


@dataclass(frozen=True)
class CallTools:
    """The model asks for tools, all at once."""

    calls: tuple[Call, ...]


@dataclass(frozen=True)
class Say:
    """The model gives its final message, after so many seconds if that is longer than it thinks."""

    text: str
    after_seconds: float = 0


@dataclass(frozen=True)
class Fail:
    """The run fails upstream."""

    code: str
    message: str


@dataclass(frozen=True)
class StopShort:
    """The run ends incomplete."""

    reason: str


@dataclass(frozen=True)
class Hang:
    """The model thinks and never comes to an end."""


Step = CallTools | Say | Fail | StopShort | Hang


@dataclass(frozen=True)
class Exchange:
    """A tool call that was answered, and the output that came back."""

    call: Call
    output: str


@dataclass(frozen=True)
class Conversation:
    """What the model knows: what was said, the tools it has, the rounds so far, and what went before.

    `prompt` is what the user says, `said` is all of it with the roles; `schema` is of the JSON that the
    message is to be.
    """

    prompt: str
    tools: tuple[str, ...]
    rounds: tuple[tuple[Exchange, ...], ...] = ()
    follows: "Conversation | None" = None
    said: tuple[tuple[str, str], ...] = ()
    schema: Mapping[str, Any] | None = None
