"""Runs the handlers of functions in this process as Lambda runs them.

A function sees the environment that the template gives it, and none of the user's AWS or OpenAI variables.
Events and results pass through JSON. A function that exceeds its timeout is abandoned. An exception becomes
Lambda's error document.

httpx is imported here because the OpenAI SDK looks for it in `sys.modules`, where it would find a half-loaded
module while a function in another thread imports it.
"""

import json
import os
import threading
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from types import ModuleType
from typing import TextIO

import httpx  # noqa: F401

from local.powertools import isolate_requests
from upcall.web.ssrf import exempt_hosts

HIDDEN_PREFIXES = ("AWS_", "OPENAI_", "MOTO_")
"""Prefixes of the user's variables that functions do not see."""

_function_environment: ContextVar[Mapping[str, str] | None] = ContextVar("function_environment", default=None)


@dataclass(frozen=True)
class Function:
    """The configuration of a function."""

    name: str
    handler: str
    timeout_seconds: float
    memory_mb: int
    environment: Mapping[str, str]
    exempt_hosts: tuple[str, ...] = ()
    """Loopback servers that its code may connect to: see upcall.web.ssrf.exempt_hosts."""
    reserved_concurrency: int | None = None


@dataclass(frozen=True)
class Invocation:
    """The result of an invocation: a JSON payload, and whether it is an error document."""

    payload: str
    is_error: bool


@dataclass(frozen=True)
class Context:
    """The context object of an invocation, with what handlers and Powertools read of it."""

    function_name: str
    memory_limit_in_mb: int
    invoked_function_arn: str
    deadline: float
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def get_remaining_time_in_millis(self) -> int:
        """The time until the function's timeout."""
        return max(0, round((self.deadline - time.monotonic()) * 1000))


class Throttled(Exception):
    """As many functions run as may run at once."""


class FunctionRunner:
    """Runs the handlers of these functions. Writes their errors to `log`.

    A handler's module is imported at the function's first invocation. `concurrency` is how many functions the
    account may run at once; None is no limit.
    """

    def __init__(self, functions: Mapping[str, Function], log: TextIO | None = None) -> None:
        self.functions = functions
        self._log = log
        self.concurrency: int | None = None
        self._running: Counter[str] = Counter()
        self._counting = threading.Lock()

    def invoke(self, name: str, event: str) -> Invocation:
        """Invoke a function by its name with a JSON event. Raises KeyError for an unknown name, Throttled."""
        function = self.functions[name]
        with self._concurrent(function):
            return self._invoke(function, event)

    @contextmanager
    def _concurrent(self, function: Function) -> Iterator[None]:
        """Count an invocation: among those of a function with a reserve, or among all others."""
        reserved = function.reserved_concurrency
        counted = function.name if reserved is not None else ""
        limit = self.concurrency
        if reserved is not None:
            limit = reserved
        elif limit is not None:
            limit -= sum(each.reserved_concurrency or 0 for each in self.functions.values())
        with self._counting:
            if limit is not None and self._running[counted] >= limit:
                raise Throttled(function.name)
            self._running[counted] += 1
        try:
            yield
        finally:
            with self._counting:
                self._running[counted] -= 1

    def _invoke(self, function: Function, event: str) -> Invocation:
        try:
            with function_environment(function.environment):
                _import_handler_module(function)  # outside of the timeout, as on Lambda
        except Exception as error:
            return self._logged(_error_document("Runtime.ImportModuleError", error))
        results: list[Invocation] = []
        worker = threading.Thread(
            target=lambda: results.append(_run(function, event)), daemon=True, name=function.name
        )
        worker.start()
        worker.join(function.timeout_seconds)
        if results:
            return self._logged(results[0])
        message = f"Task timed out after {function.timeout_seconds:.2f} seconds"
        return _error_document("Sandbox.Timedout", message)

    def _logged(self, result: Invocation) -> Invocation:
        """Log an error as Lambda's runtime does: with its message, at every log level."""
        if result.is_error and self._log is not None:
            line = {"timestamp": datetime.now(UTC).isoformat(), "level": "ERROR"}
            self._log.write(json.dumps(line | json.loads(result.payload)) + "\n")
            self._log.flush()
        return result


@contextmanager
def function_environment(environment: Mapping[str, str]) -> Iterator[None]:
    """Let this thread see the environment of a function in `os.environ`."""
    if not isinstance(os.environ, _Environment):
        os.environ = _Environment(os.environ)  # type: ignore[assignment]  # noqa: B003
    token = _function_environment.set(environment)
    try:
        yield
    finally:
        _function_environment.reset(token)


class _Environment(MutableMapping[str, str]):
    """`os.environ` in which each thread may see the environment of another function."""

    def __init__(self, process: MutableMapping[str, str]) -> None:
        self._process = process

    def _visible(self) -> Mapping[str, str]:
        function = _function_environment.get()
        if function is None:
            return self._process
        inherited = {k: v for k, v in self._process.items() if not k.startswith(HIDDEN_PREFIXES)}
        return {**inherited, **function}

    def __getitem__(self, name: str) -> str:
        function = _function_environment.get()
        if function is None or (name not in function and not name.startswith(HIDDEN_PREFIXES)):
            return self._process[name]
        return function[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._visible())

    def __len__(self) -> int:
        return len(self._visible())

    def __setitem__(self, name: str, value: str) -> None:
        self._process[name] = value

    def __delitem__(self, name: str) -> None:
        del self._process[name]

    def copy(self) -> dict[str, str]:
        """A plain dictionary, as `os.environ.copy()` returns."""
        return dict(self._visible())


_handler_modules: dict[str, ModuleType] = {}
_importing = threading.Lock()


def _import_handler_module(function: Function) -> ModuleType:
    """The module of a function's handler.

    One is imported at a time: modules that import each other would deadlock.
    """
    name = function.handler.rpartition(".")[0]
    if name not in _handler_modules:
        with _importing:
            module = import_module(name)
            isolate_requests(getattr(module, "app", None))
            _handler_modules[name] = module
    return _handler_modules[name]


def _run(function: Function, event: str) -> Invocation:
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{function.name}"
    deadline = time.monotonic() + function.timeout_seconds
    context = Context(function.name, function.memory_mb, arn, deadline)
    with function_environment(function.environment), exempt_hosts(function.exempt_hosts):
        try:
            handler = getattr(_import_handler_module(function), function.handler.rpartition(".")[2])
            result = handler(json.loads(event), context)
            return Invocation(json.dumps(result), is_error=False)
        except Exception as error:  # Lambda reports any exception to the caller
            return _error_document(type(error).__name__, error)


def _error_document(error_type: str, error: Exception | str) -> Invocation:
    trace = traceback.format_tb(error.__traceback__) if isinstance(error, Exception) else []
    document = {"errorType": error_type, "errorMessage": str(error), "stackTrace": trace}
    return Invocation(json.dumps(document), is_error=True)
