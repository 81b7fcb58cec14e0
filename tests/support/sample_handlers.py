"""Handlers for tests of the function runner."""

import os
import time
from typing import Any


def echo(event: Any, context: Any) -> Any:
    """Give back the event."""
    assert context.get_remaining_time_in_millis() > 0
    return event


def environment(event: list[str], _: Any) -> list[str | None]:
    """The values of the variables that the event names."""
    return [os.environ.get(name) for name in event]


def fail(_: Any, __: Any) -> None:
    """Raise."""
    raise LookupError("not here")


def sleep(event: float, _: Any) -> None:
    """Take so many seconds."""
    time.sleep(event)


def object_(_: Any, __: Any) -> Any:
    """Give back what JSON cannot hold."""
    return object()
