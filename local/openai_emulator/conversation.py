"""A conversation between a user and a model, and the steps of a model, independent of any protocol."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Call:
    """A tool call of a step. `arguments` are sent as they are, so that they may be malformed."""

    name: str
    arguments: str

    @classmethod
    def of(cls, name: str, **arguments: Any) -> "Call":
        """A call with well-formed arguments."""
        return cls(name, json.dumps(arguments))


@dataclass(frozen=True)
class CallTools:
    """The model calls tools, all in one round, after `after_seconds` if its usual time is shorter."""

    calls: tuple[Call, ...]
    after_seconds: float = 0


@dataclass(frozen=True)
class Say:
    """The model sends its final message, after `after_seconds` if that is longer than its usual time."""

    text: str
    after_seconds: float = 0


@dataclass(frozen=True)
class Fail:
    """The run fails."""

    code: str
    message: str


@dataclass(frozen=True)
class FailAtFirst:
    """The run fails `times` times, each time that its turn is requested, and then goes on with `then`."""

    failure: Fail
    then: "Step"
    times: int = 1


@dataclass(frozen=True)
class EndIncomplete:
    """The run ends incomplete."""

    reason: str


@dataclass(frozen=True)
class Hang:
    """The run stays in progress."""


Step = CallTools | Say | Fail | FailAtFirst | EndIncomplete | Hang


@dataclass(frozen=True)
class Exchange:
    """A tool call and its output."""

    call: Call
    output: str


@dataclass(frozen=True)
class Conversation:
    """The input of a model: the user's messages, its tools, the rounds so far, and the conversation before.

    `prompt` is the text of the user's messages, `messages` are all messages as pairs of role and text.
    `schema` is the JSON schema of the final message.
    """

    prompt: str
    tools: tuple[str, ...]
    rounds: tuple[tuple[Exchange, ...], ...] = ()
    previous: "Conversation | None" = None
    messages: tuple[tuple[str, str], ...] = ()
    schema: Mapping[str, Any] | None = None
