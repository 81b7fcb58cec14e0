"""The models of the emulator: each follows its script, and one without a script is the offline model.

They are independent of any protocol: a conversation goes in, a turn comes out.
"""

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from local.openai_emulator.conversation import CallTools, Conversation, FailAtFirst, Say, Step
from local.openai_emulator.offline_model import offline_model
from local.openai_emulator.rate_limits import RateLimits
from local.openai_emulator.turn import Turn


@dataclass(frozen=True)
class Fault:
    """A request that fails.

    `operation` is create, poll, submit, cancel or message; status 0 drops the connection.

    If `processed` is true, the server processes the request before it fails.
    """

    operation: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = '{"error": {"message": "a fault of the script", "type": "server_error"}}'
    processed: bool = False


@dataclass
class Script:
    """The steps of a model, one for each round, and the requests that fail."""

    steps: Sequence[Step]
    faults: list[Fault]


class ScriptedModels:
    """The models by their names.

    Turns are numbered from `first_turn` on. The default is a number that no earlier process has used, whose
    turns may be continued.
    """

    def __init__(self, first_turn: int | None = None, rate_limits: RateLimits | None = None) -> None:
        self.rate_limits = rate_limits or RateLimits()
        self._turn_numbers = itertools.count(first_turn or time.time_ns() // 1000)
        self._scripts: dict[str, Script] = {}
        self._script_numbers = itertools.count(1)
        self.started_turns: dict[str, list[Turn]] = {}
        """The turns of each model, oldest first."""

    @property
    def conversations(self) -> dict[str, list[Conversation]]:
        """The conversations that each model received, oldest first."""
        return {model: [turn.conversation for turn in turns] for model, turns in self.started_turns.items()}

    def script(self, *steps: Step, faults: Sequence[Fault] = ()) -> str:
        """Add a model that follows this script. Returns its name."""
        name = f"script-{next(self._script_numbers)}"
        self._scripts[name] = Script(steps, list(faults))
        return name

    def replace_steps(self, model: str, *steps: Step) -> None:
        """Let a model follow other steps from now on."""
        self._scripts[model].steps = steps

    def take_fault(self, model: str, operation: str) -> Fault | None:
        """Remove the next fault for an operation from the model's script, and return it."""
        faults = self._scripts[model].faults if model in self._scripts else []
        for fault in faults:
            if fault.operation == operation:
                faults.remove(fault)
                return fault
        return None

    def remaining_faults(self, model: str) -> list[Fault]:
        """The faults of a script that have not been injected yet."""
        return self._scripts[model].faults

    def start_turn(self, model: str, conversation: Conversation, model_seconds: float) -> Turn:
        """Start a turn of a model, which takes `model_seconds` at least."""
        step = self._next_step(model, conversation)
        seconds = max(model_seconds, step.after_seconds if isinstance(step, CallTools | Say) else 0)
        turn = Turn(model, conversation, step, seconds, next(self._turn_numbers))
        self.started_turns.setdefault(model, []).append(turn)
        return turn

    def _next_step(self, model: str, conversation: Conversation) -> Step:
        """The step for the next round. A script repeats its last step."""
        script = self._scripts.get(model)
        if script is None:
            return offline_model(conversation)
        rounds = len(conversation.rounds)
        step = script.steps[min(rounds, len(script.steps) - 1)]
        if not isinstance(step, FailAtFirst):
            return step
        tries = sum(len(turn.conversation.rounds) == rounds for turn in self.started_turns.get(model, []))
        return step.failure if tries < step.times else step.then
