"""Sample events, and functions that are invoked with them as Lambda would."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local.config import ROOT
from upcall.domain.run import Run

Invoke = Callable[[str, dict[str, Any]], Any]
"""Invoke a function by its logical id with an event; raises FunctionError."""

Recorded = Callable[..., Run]
"""Make a run that follows the steps of a script."""


class FunctionError(Exception):
    """A function ended with an error; the workflow would see `kind`."""

    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__(document["errorMessage"])
        self.kind: str = document["errorType"]


def sample(name: str, **changes: Any) -> dict[str, Any]:
    """The sample event of that name, with some fields changed."""
    event: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text("utf-8"))
    return {**event, **changes}


def message(kind: str) -> dict[str, Any]:
    """The sample of a message that asks for a run."""
    found: dict[str, Any] = json.loads((ROOT / "events" / "messages" / f"{kind}.json").read_text("utf-8"))
    return found


def samples() -> list[Path]:
    """All sample events; env.json beside them is what SAM local gives the functions that get them."""
    return sorted(path for path in (ROOT / "events").glob("*.json") if path.name != "env.json")
