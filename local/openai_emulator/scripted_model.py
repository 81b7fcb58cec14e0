"""The models behind the emulator: each does what its script says, and without one it is the offline model.

They know no protocol. A conversation goes in, a turn comes out.
"""

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from local.openai_emulator.conversation import Conversation, Say, Step
from local.openai_emulator.offline_model import offline_model
from local.openai_emulator.turn import Turn


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


@dataclass
class Script:
    """What a model is to do, round by round, and what shall go wrong on the wire."""

    steps: Sequence[Step]
    faults: list[Fault]


class ScriptedModels:
    """Scripts by the name of the model that follows them; any other model is the offline one.

    Turns are numbered from `first_turn` on. By default that is unlike the numbers of earlier processes,
    whose turns may be followed up.
    """

    def __init__(self, first_turn: int | None = None) -> None:
        self._turn_numbers = itertools.count(first_turn or time.time_ns() // 1000)
        self._scripts: dict[str, Script] = {}
        self._script_numbers = itertools.count(1)
        self.begun: dict[str, list[Turn]] = {}
        """Each turn that a model has begun, in the order of time."""

    @property
    def heard(self) -> dict[str, list[Conversation]]:
        """Each conversation that a model was shown, in the order of time."""
        return {model: [turn.conversation for turn in turns] for model, turns in self.begun.items()}

    def script(self, *steps: Step, faults: Sequence[Fault] = ()) -> str:
        """Take a script; returns the name of the model that will follow it."""
        name = f"script-{next(self._script_numbers)}"
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

    def begin(self, model: str, conversation: Conversation, thinking_seconds: float) -> Turn:
        """Let a model think about a conversation."""
        step = self._step(model, conversation)
        slow = step.after_seconds if isinstance(step, Say) else 0
        turn = Turn(model, conversation, step, max(thinking_seconds, slow), next(self._turn_numbers))
        self.begun.setdefault(model, []).append(turn)
        return turn

    def _step(self, model: str, conversation: Conversation) -> Step:
        """What the model does next. A script that is at its end says its last step again."""
        if script := self._scripts.get(model):
            return script.steps[min(len(conversation.rounds), len(script.steps) - 1)]
        return offline_model(conversation)
