"""The invocations of functions on the local stack: how long each took, and with how much memory."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from local.lambda_runtime import Function, FunctionRunner, Invocation


@dataclass(frozen=True)
class LoggedInvocation:
    """One invocation of a function."""

    function: str
    memory_mb: int
    seconds: float

    @property
    def gb_seconds(self) -> float:
        """What Lambda charges for, besides the request."""
        return self.seconds * self.memory_mb / 1024


class FunctionLog:
    """Invokes functions, and records their invocations in the order in which they end.

    `functions` are by name. More can be added.
    """

    def __init__(self, functions: Mapping[str, Function]) -> None:
        self.functions = dict(functions)
        self._runner = FunctionRunner(self.functions)
        self.invocations: list[LoggedInvocation] = []

    def invoke(self, name: str, event: str) -> Invocation:
        """Invoke a function by its name with a JSON event."""
        start = time.perf_counter()
        result = self._runner.invoke(name, event)
        seconds = time.perf_counter() - start
        self.invocations.append(LoggedInvocation(name, self.functions[name].memory_mb, seconds))
        return result


def total_seconds(invocations: Iterable[LoggedInvocation]) -> float:
    """The time of all invocations."""
    return sum(each.seconds for each in invocations)


def total_gb_seconds(invocations: Iterable[LoggedInvocation]) -> float:
    """The time of all invocations, by memory."""
    return sum(each.gb_seconds for each in invocations)
