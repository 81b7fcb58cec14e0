"""A handler may be killed between any two of its effects: what it does is done once all the same.

An effect is a request, to the table or to OpenAI, and on loopback each request is a connection. Each
handler is killed at its first effect, tried again and killed at its second, and so on until it comes
through; then it is run once more, as if its answer had been lost.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import Any

import pytest

from local.cloud import LaptopCloud
from local.emulator import Call, CallTools, Say
from local.functions import function_environment
from upcall.run import Run
from upcall.store import RunStore
from upcall.table import Table


class Killed(BaseException):
    """The process is gone. Nothing catches it."""


_effects_left: ContextVar[list[int] | None] = ContextVar("effects_left", default=None)


def _watch(event: str, _: Any) -> None:
    left = _effects_left.get()
    if event == "socket.connect" and left is not None:
        left[0] -= 1
        if left[0] == 0:
            raise Killed


sys.addaudithook(_watch)


@contextmanager
def killed_at(effect: int) -> Iterator[None]:
    """Kill the code inside as it begins its effect of that number."""
    token = _effects_left.set([effect])
    try:
        yield
    finally:
        _effects_left.reset(token)


class Killer:
    """Runs the handlers of a laptop cloud, and kills them at each of their effects."""

    def __init__(self, laptop: LaptopCloud) -> None:
        self._functions = laptop.stack.functions
        self.kills = 0

    def once(self, logical_id: str, event: dict[str, Any]) -> Any:
        """Run a handler to its end."""
        function = self._functions[logical_id]
        module, _, name = function.handler.rpartition(".")
        with function_environment(function.environment):
            return getattr(import_module(module), name)(event, None)

    def at_each_effect(self, logical_id: str, event: dict[str, Any]) -> Any:
        """Run a handler until it comes through, killed one effect later each time; then once more."""
        for effect in range(1, 100):
            try:
                with killed_at(effect):
                    done = self.once(logical_id, event)
            except Killed:
                self.kills += 1
            else:
                assert self.once(logical_id, event) == done, "a second run must come to the same"
                return done
        raise AssertionError("there is no end to it")

    def changed(self, run_id: str, handle: Any) -> dict[str, Any]:
        """Poll until the run needs something or has ended."""
        snapshot: dict[str, Any] = self.once(
            "PollRunFunction", {"run_id": run_id, "handle": handle, "seconds_left": 60}
        )
        return snapshot


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # what the dead leave open
@pytest.mark.parametrize("follow_up", [False, True], ids=["alone", "follow-up"])
@pytest.mark.parametrize("api", ["responses", "assistants", "agents"])
def test_each_tool_runs_once_for_the_run_that_is_followed_and_one_message_is_stored(
    laptop: LaptopCloud, api: Any, follow_up: bool
) -> None:
    store = RunStore(Table(laptop.stack.dynamodb, laptop.stack.table), 30)
    model = laptop.emulator.script(CallTools((Call("weather", "{}"),)), Say("Done."))
    killer = Killer(laptop)
    previous = None
    for _ in range(2 if follow_up else 1):
        new = Run.new(prompt="Go.", assistant="summarizer", model=model, run_api=api, previous=previous)
        store.add(new)
        killed_all_the_way(killer, new.run_id)
        previous = run = store.get(new.run_id)

    assert killer.kills >= 10
    assert (run.status, run.round, run.tool_calls) == ("completed", 1, 1)
    assert store.message(run) == "Done."
    (entry,) = store.ledger(run.run_id)
    assert entry.output.output == "It rains."
    followed = laptop.emulator.brain.begun[model][-1].conversation
    assert [[each.output for each in round_] for round_ in followed.rounds] == [["It rains."]]
    assert (followed.follows is not None) == follow_up


def killed_all_the_way(killer: Killer, run_id: str) -> None:
    """Take a run through one round to its message, and kill every handler at every effect."""
    made = killer.at_each_effect("CreateRunFunction", {"run_id": run_id})
    waiting = killer.changed(run_id, made["handle"])
    (call,) = waiting["tool_calls"]
    event = {
        "run_id": run_id,
        "handle": made["handle"],
        "round": 1,
        "tool_calls": [call],
        "tool_outputs": [{"call_id": call["call_id"], "outcome": "ok", "output": "It rains."}],
        "usage": waiting["usage"],
    }
    done = killer.at_each_effect("SubmitToolOutputsFunction", event)
    assert killer.changed(run_id, done["handle"])["status"] == "completed"
    killer.at_each_effect("SaveMessageFunction", {"run_id": run_id, "handle": done["handle"]})
