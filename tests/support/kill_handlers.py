"""Handlers that are killed at any of their external effects, as a process is that loses its machine.

An effect is a request: to the table, a queue, the bus, Step Functions, OpenAI or a webhook. On loopback each request
is a connection of its own, and a handler is killed as it begins one. Nothing that it holds can catch that.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import Any, TypeVar

from local.lambda_runtime import Context, function_environment
from local.stack import LocalStack

T = TypeVar("T")

MAX_EFFECTS = 200

CONTEXT = Context("killed", 256, "arn:aws:lambda:us-east-1:123456789012:function:killed", float("inf"))


class Killed(BaseException):
    """The process is gone. Nothing catches it."""


_left: ContextVar[list[int] | None] = ContextVar("left", default=None)
_spared: ContextVar[bytes | None] = ContextVar("spared", default=None)


def _watch(event: str, arguments: Any) -> None:
    left, spared = _left.get(), _spared.get()
    if left is None:
        return
    if spared is None and event == "socket.connect":
        left[0] -= 1
    elif spared is not None and event == "http.client.send":  # botocore's; it tells what is asked for
        head = bytes(arguments[1]) if isinstance(arguments[1], bytes | bytearray) else b""
        left[0] -= b"X-Amz-Target" in head and spared not in head
    else:
        return
    if left[0] == 0:
        left[0] = -1
        raise Killed


sys.addaudithook(_watch)


@contextmanager
def killed_at(effect: int, spared: bytes | None = None) -> Iterator[None]:
    """Kill the code inside as it begins its effect of that number.

    With `spared`, only requests to AWS count, and of these not the ones of that target.
    """
    tokens = _left.set([effect]), _spared.set(spared)
    try:
        yield
    finally:
        _left.reset(tokens[0])
        _spared.reset(tokens[1])


class Killer:
    """Runs the handlers of a laptop cloud, and kills them at each of their effects."""

    def __init__(self, laptop: LocalStack) -> None:
        self._functions = laptop.stack.functions
        self.kills = 0

    def once(self, logical_id: str, event: dict[str, Any], **variables: str) -> Any:
        """Run a handler to its end, with some variables of its environment changed."""
        function = self._functions[logical_id]
        module, _, name = function.handler.rpartition(".")
        with function_environment({**function.environment, **variables}):
            return getattr(import_module(module), name)(event, CONTEXT)

    def at_each_effect(self, logical_id: str, event: dict[str, Any]) -> Any:
        """Run a handler until it comes through, killed one effect later each time; then once more."""
        for effect in range(1, MAX_EFFECTS):
            try:
                with killed_at(effect):
                    done = self.once(logical_id, event)
            except Killed:
                self.kills += 1
            else:
                assert self.once(logical_id, event) == done, "a second run must come to the same"
                return done
        raise AssertionError("there is no end to it")

    def afresh(
        self, make: Callable[[], T], act: Callable[[T], Any], spared: bytes | None = None
    ) -> Iterator[T]:
        """Make a thing and act on it, killed at the first effect, and act once more, as whoever owns the retry does.

        Then the same with another thing and the second effect, and so on. The last one is not killed: its answer was
        lost. Gives each thing, to be looked at.
        """
        for effect in range(1, MAX_EFFECTS):
            thing = make()
            try:
                with killed_at(effect, spared):
                    act(thing)
            except Killed:
                self.kills += 1
                act(thing)
                yield thing
            else:
                act(thing)
                yield thing
                return
        raise AssertionError("there is no end to it")
