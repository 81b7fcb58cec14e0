"""The sample events in `events/`, and changed copies of them."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local.config import ROOT

Invoke = Callable[[str, dict[str, Any]], Any]
"""Invokes a function by its logical id with an event. Raises FunctionError."""


class FunctionError(Exception):
    """A function ended with an error. `error_type` is the name that the workflow knows it by."""

    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__(document["errorMessage"])
        self.error_type: str = document["errorType"]


def sample_event(handler: str, **changes: Any) -> dict[str, Any]:
    """The sample event of a handler or tool, with some fields changed."""
    event: dict[str, Any] = json.loads((ROOT / "events" / f"{handler}.json").read_text("utf-8"))
    return {**event, **changes}


def sample_run_request(route: str, run_id: str, **changes: Any) -> dict[str, Any]:
    """The sample request to a route of one run, for another run: `rawPath` has the id as it is."""
    event = sample_event(route, pathParameters={"run_id": run_id}, **changes)
    _, runs, _, *rest = event["rawPath"].split("/")
    event["rawPath"] = "/".join(["", runs, run_id, *rest])
    event["requestContext"]["http"]["path"] = event["rawPath"]
    return event


def sample_batch(handler: str, *bodies: str, **attributes: str) -> dict[str, Any]:
    """The sample batch of a handler with other messages, each with an id of its own."""
    (record,) = sample_event(handler)["Records"]
    record["attributes"].update(attributes)
    return {"Records": [{**record, "messageId": str(uuid.uuid4()), "body": body} for body in bodies]}


def sample_message(kind: str) -> dict[str, Any]:
    """The sample of a message that starts a run."""
    message: dict[str, Any] = json.loads((ROOT / "events" / "messages" / f"{kind}.json").read_text("utf-8"))
    return message


def sample_event_files() -> list[Path]:
    """The files of all sample events. env.json beside them has the variables of functions in SAM local."""
    return sorted(path for path in (ROOT / "events").glob("*.json") if path.name != "env.json")
