"""Lambda handlers for tests of the local Lambda runtime."""

import json
import os
import time
from typing import Any


def echo(event: Any, context: Any) -> Any:
    """Return the event."""
    assert context.get_remaining_time_in_millis() > 0
    return event


def environment(event: list[str], _: Any) -> list[str | None]:
    """The values of the environment variables that the event names."""
    return [os.environ.get(name) for name in event]


def fail(_: Any, __: Any) -> None:
    """Raise LookupError."""
    raise LookupError("not here")


def sleep(event: float, _: Any) -> None:
    """Sleep for the number of seconds in the event."""
    time.sleep(event)


def object_(_: Any, __: Any) -> Any:
    """Return a value that JSON cannot hold."""
    return object()


def echo_http(event: Any, _: Any) -> dict[str, Any]:
    """Respond to a request of an HTTP API with the event."""
    return {
        "statusCode": 200,
        "body": json.dumps(event),
        "headers": {"content-type": "application/json"},
    }
