"""The model behind the emulator: it does what a script says, and without one it reads and summarises.

It knows no protocol. A conversation goes in, the next step comes out.
"""

import itertools
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.emulator.json_schema import instance
from local.emulator.summary import summarise

if TYPE_CHECKING:
    from local.emulator.turn import Turn


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
class Fault:
    """A request that goes wrong on its way: `operation` is create, poll, submit or cancel.

    With `acted`, the server does its work before it answers wrongly. Status 0 cuts the connection.
    """

    operation: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = '{"error": {"message": "a fault of the script", "type": "server_error"}}'
    acted: bool = False


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


@dataclass
class Script:
    """What a model is to do, round by round, and what shall go wrong on the wire."""

    steps: Sequence[Step]
    faults: list[Fault]


class Brain:
    """Scripts by the name of the model that follows them; any other model is the offline one.

    Turns are numbered from `first_turn` on. By default that is unlike the numbers of earlier processes,
    whose turns may be followed up.
    """

    def __init__(self, first_turn: int | None = None) -> None:
        self.turn_numbers = itertools.count(first_turn or time.time_ns() // 1000)
        self._scripts: dict[str, Script] = {}
        self._numbers = itertools.count(1)
        self.begun: dict[str, list[Turn]] = {}
        """Each turn that a model has begun, in the order of time."""

    @property
    def heard(self) -> dict[str, list[Conversation]]:
        """Each conversation that a model was shown, in the order of time."""
        return {model: [turn.conversation for turn in turns] for model, turns in self.begun.items()}

    def script(self, *steps: Step, faults: Sequence[Fault] = ()) -> str:
        """Take a script; returns the name of the model that will follow it."""
        name = f"script-{next(self._numbers)}"
        self._scripts[name] = Script(steps, list(faults))
        return name

    def rewrite(self, model: str, *steps: Step) -> None:
        """Have a model follow other steps from now on."""
        self._scripts[model].steps = steps

    def fault(self, model: str, operation: str) -> Fault | None:
        """The next fault of that model's script for an operation, which is used up by asking."""
        faults = self._scripts[model].faults if model in self._scripts else []
        for fault in faults:
            if fault.operation == operation:
                faults.remove(fault)
                return fault
        return None

    def unspent(self, model: str) -> list[Fault]:
        """The faults of a script that have not happened yet."""
        return self._scripts[model].faults

    def think(self, model: str, conversation: Conversation) -> Step:
        """What the model does next. A script that is at its end says its last step again."""
        if script := self._scripts.get(model):
            return script.steps[min(len(conversation.rounds), len(script.steps) - 1)]
        return offline_model(conversation)


NO_PAGES = "I am the offline model: I read the pages that a prompt names. It names none."


def offline_model(conversation: Conversation) -> Step:
    """Read every URL and stored object of the prompt, all at once, then summarise what came back."""
    if not conversation.rounds and (calls := _calls(conversation)):
        return CallTools(calls)
    exchanges = [exchange for round_ in conversation.rounds for exchange in round_]
    text = "\n\n".join(_report(exchange) for exchange in exchanges) or NO_PAGES
    if conversation.schema is None:
        return Say(text)
    return Say(json.dumps(instance(conversation.schema, text), ensure_ascii=False))


def _calls(conversation: Conversation) -> tuple[Call, ...]:
    keys = re.findall(r'stored object ("(?:[^"\\]|\\.)*")', conversation.prompt)
    urls = [url.rstrip(".,;:!?)'\"") for url in re.findall(r"https?://[^\s<>\"]+", conversation.prompt)]
    calls = [
        *(Call.of("read_object", key=json.loads(key)) for key in dict.fromkeys(keys)),
        *(Call.of("fetch", url=url) for url in dict.fromkeys(urls) if not keys),
    ]
    return tuple(call for call in calls if call.name in conversation.tools)


def _report(exchange: Exchange) -> str:
    (source, *_) = json.loads(exchange.call.arguments).values()
    try:
        page = json.loads(exchange.output)
    except ValueError:
        page = {"title": source, "text": exchange.output}
    if "error" in page:
        return f"I could not read {source}: {page['error']}"
    return f"{page['title'] or source}: {summarise(page['text'])}"
