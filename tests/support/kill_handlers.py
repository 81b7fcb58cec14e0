"""Kills handlers at any of their requests, as if their machine was lost.

A request goes to the table, a queue, the event bus, Step Functions, OpenAI or a webhook. A handler is killed when it
sends one to AWS, or opens a connection: on loopback each other request has one of its own. It cannot catch that.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import Any, TypeVar

from local.lambda_runtime import Context, function_environment
from local.moto_patches.in_process import AUDIT_EVENT
from local.stack import LocalStack
from upcall.web.ssrf import exempt_hosts

T = TypeVar("T")

MAX_REQUESTS = 200

CONTEXT = Context("killed", 256, "arn:aws:lambda:us-east-1:123456789012:function:killed", float("inf"))


class Killed(BaseException):
    """The process is gone. No handler catches it."""


_remaining: ContextVar[list[int] | None] = ContextVar("remaining", default=None)
_ignored_target: ContextVar[str | None] = ContextVar("ignored_target", default=None)


def _count_request(event: str, arguments: Any) -> None:
    remaining, ignored_target = _remaining.get(), _ignored_target.get()
    if remaining is None:
        return
    if ignored_target is None and event in ("socket.connect", AUDIT_EVENT):
        remaining[0] -= 1
    elif ignored_target is not None and event == AUDIT_EVENT:
        target = str(arguments[0])
        remaining[0] -= bool(target) and ignored_target not in target
    else:
        return
    if remaining[0] == 0:
        remaining[0] = -1
        raise Killed


sys.addaudithook(_count_request)


@contextmanager
def killed_at(request: int, ignored_target: str | None = None) -> Iterator[None]:
    """Kill the code inside when it begins the request of that number.

    With `ignored_target`, only requests to AWS count, except those with that X-Amz-Target.
    """
    tokens = _remaining.set([request]), _ignored_target.set(ignored_target)
    try:
        yield
    finally:
        _remaining.reset(tokens[0])
        _ignored_target.reset(tokens[1])


class HandlerKiller:
    """Invokes the handlers of a local stack, and kills them. `kills` counts how often it did."""

    def __init__(self, local_stack: LocalStack) -> None:
        self._local_stack = local_stack
        self.kills = 0

    def invoke(self, logical_id: str, event: dict[str, Any], **variables: str) -> Any:
        """Invoke a handler without killing it, with some environment variables changed."""
        name = self._local_stack.deployed.functions[logical_id].name
        function = self._local_stack.runner.functions[name]  # with the changes of tests
        module, _, handler = function.handler.rpartition(".")
        environment = {**function.environment, **variables}
        with function_environment(environment), exempt_hosts(function.exempt_hosts):
            return getattr(import_module(module), handler)(event, CONTEXT)

    def kill_at_each_request(self, logical_id: str, event: dict[str, Any]) -> Any:
        """Invoke a handler again and again, and kill it one request later each time, until it returns.

        Then it is invoked once more. Asserts that the result is the same.
        """
        for request in range(1, MAX_REQUESTS):
            try:
                with killed_at(request):
                    result = self.invoke(logical_id, event)
            except Killed:
                self.kills += 1
            else:
                assert self.invoke(logical_id, event) == result, "the second result differs"
                return result
        raise AssertionError("the handler makes too many requests")

    def kill_and_repeat(
        self, make: Callable[[], T], act: Callable[[T], Any], ignored_target: str | None = None
    ) -> Iterator[T]:
        """Make something, act on it, be killed at the first request, and act on it once more.

        Then the same with something new and the second request, and so on. In the last round nothing is killed:
        only the result was lost. Yields what was made after each round, so that the caller can check it.
        """
        for request in range(1, MAX_REQUESTS):
            made = make()
            try:
                with killed_at(request, ignored_target):
                    act(made)
            except Killed:
                self.kills += 1
                act(made)
                yield made
            else:
                act(made)
                yield made
                return
        raise AssertionError("the handler makes too many requests")
