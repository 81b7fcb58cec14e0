"""Lambda on a laptop: each function's handler, in this process, as Lambda would run it.

A function sees the environment that the template gives it and nothing of the user's AWS or OpenAI
variables. Events and results pass through JSON, a function that takes too long is given up, and an
exception becomes the error document that Lambda makes of it.

httpx is loaded here at once, because the OpenAI SDK looks for it among the loaded modules, and would
find it half-loaded while another function of this process is importing it.
"""

import copy
import json
import os
import threading
import time
import traceback
import uuid
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from typing import Any, TextIO

import httpx  # noqa: F401
from aws_lambda_powertools.event_handler.api_gateway import ApiGatewayResolver

from upcall.web.ssrf import exempt_hosts

HIDDEN = ("AWS_", "OPENAI_", "MOTO_")
"""Prefixes of the user's variables that no function on the laptop may see."""

_function_environment: ContextVar[Mapping[str, str] | None] = ContextVar("env", default=None)


@dataclass(frozen=True)
class Function:
    """A function of the stack: what Lambda knows of it."""

    name: str
    handler: str
    timeout_seconds: float
    memory_mb: int
    environment: Mapping[str, str]
    exempt_hosts: tuple[str, ...] = ()
    """Loopback servers that its code may reach: see upcall.web.ssrf.exempt_hosts."""


@dataclass(frozen=True)
class Invocation:
    """What an invocation gave back: a JSON payload, and whether it is an error document."""

    payload: str
    is_error: bool


@dataclass(frozen=True)
class Context:
    """The context object of an invocation, as far as handlers and Powertools read it."""

    function_name: str
    memory_limit_in_mb: int
    invoked_function_arn: str
    deadline: float
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def get_remaining_time_in_millis(self) -> int:
        """How long the function may still take."""
        return max(0, round((self.deadline - time.monotonic()) * 1000))


class FunctionRunner:
    """Runs the handlers of a set of functions; writes to `log` what errors they end with."""

    def __init__(self, functions: Mapping[str, Function], log: TextIO | None = None) -> None:
        self.functions = functions
        self._log = log
        for function in functions.values():
            with function_environment(function.environment):
                _handler(function)

    def invoke(self, name: str, event: str) -> Invocation:
        """Invoke a function by its name with a JSON event. Raises KeyError for an unknown name."""
        function = self.functions[name]
        results: list[Invocation] = []
        worker = threading.Thread(
            target=lambda: results.append(_run(function, event)), daemon=True, name=name
        )
        worker.start()
        worker.join(function.timeout_seconds)
        if results:
            self._log_error(results[0])
            return results[0]
        words = f"Task timed out after {function.timeout_seconds:.2f} seconds"
        return _error("Sandbox.Timedout", words, [])

    def _log_error(self, result: Invocation) -> None:
        """Write what Lambda's runtime writes of an exception, its message with it, whatever the log level."""
        if result.is_error and self._log is not None:
            line = {"timestamp": datetime.now(UTC).isoformat(), "level": "ERROR"}
            self._log.write(json.dumps(line | json.loads(result.payload)) + "\n")
            self._log.flush()


@contextmanager
def function_environment(environment: Mapping[str, str]) -> Iterator[None]:
    """Let the code of this thread see a function's environment in place of the process's own."""
    if not isinstance(os.environ, _Environment):
        os.environ = _Environment(os.environ)  # type: ignore[assignment]  # noqa: B003
    token = _function_environment.set(environment)
    try:
        yield
    finally:
        _function_environment.reset(token)


class _Environment(MutableMapping[str, str]):
    """`os.environ` for a process in which many functions live: each thread may have its own.

    Lambda gives each function an environment; a process has only one. So it is layered here, and the
    handlers read `os.environ` as they do in Lambda.
    """

    def __init__(self, process: MutableMapping[str, str]) -> None:
        self._process = process

    def _now(self) -> Mapping[str, str]:
        own = _function_environment.get()
        if own is None:
            return self._process
        kept = {k: v for k, v in self._process.items() if not k.startswith(HIDDEN)}
        return {**kept, **own}

    def __getitem__(self, name: str) -> str:
        return self._now()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())

    def __setitem__(self, name: str, value: str) -> None:
        self._process[name] = value

    def __delitem__(self, name: str) -> None:
        del self._process[name]

    def copy(self) -> dict[str, str]:
        """A plain dict, as `os.environ.copy()` gives."""
        return dict(self._now())


def _handler(function: Function) -> Any:
    module_name, _, name = function.handler.rpartition(".")
    module = import_module(module_name)
    if isinstance(app := getattr(module, "app", None), ApiGatewayResolver) and "resolve" not in vars(app):
        vars(app)["resolve"] = partial(_resolve_isolated, copy.copy(app))  # seen by this app alone
    return getattr(module, name)


def _resolve_isolated(app: ApiGatewayResolver, event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Resolve a request with a resolver of its own.

    Powertools keeps the request in attributes of the resolver and of a class, because a function on AWS has one request
    at a time. Here many functions share a process, and one would read the request of another.
    """
    isolated = copy.copy(app)
    isolated.context = {}
    isolated.current_event = app._to_proxy_event(event)
    isolated.lambda_context = context
    return isolated.resolve(event, context)


def _run(function: Function, event: str) -> Invocation:
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{function.name}"
    deadline = time.monotonic() + function.timeout_seconds
    context = Context(function.name, function.memory_mb, arn, deadline)
    with function_environment(function.environment), exempt_hosts(function.exempt_hosts):
        try:
            result = _handler(function)(json.loads(event), context)
            return Invocation(json.dumps(result), is_error=False)
        except Exception as error:  # whatever it is, Lambda reports it to the caller
            return _error(type(error).__name__, str(error), traceback.format_tb(error.__traceback__))


def _error(kind: str, message: str, trace: list[str]) -> Invocation:
    document = {"errorType": kind, "errorMessage": message, "stackTrace": trace}
    return Invocation(json.dumps(document), is_error=True)
