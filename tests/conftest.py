"""One laptop cloud for all tests: the real template, the real handlers, moto, real HTTP on loopback.

Tests share it and do not meet: each makes its own runs, and scripts the model for its own.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.cloud import LaptopCloud
from local.functions import function_environment
from local.profile import ROOT, Profile

Invoke = Callable[[str, dict[str, Any]], Any]


@pytest.fixture(scope="session")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaptopCloud]:
    """The laptop cloud, in a hurry: a model that thinks for 20 ms, polled as often."""
    profile = Profile(
        state_folder=tmp_path_factory.mktemp("state"),
        thinking_seconds=0.02,
        poll_after_ms=20,
        parameters={"PollWindowSeconds": "3"},
    )
    with LaptopCloud(profile) as cloud:
        yield cloud


class FunctionError(Exception):
    """A function ended with an error; the workflow would see `kind`."""

    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__(document["errorMessage"])
        self.kind: str = document["errorType"]


@pytest.fixture(scope="session")
def invoke(laptop: LaptopCloud) -> Invoke:
    """Invoke a function by its logical id, as Lambda would. Raises FunctionError."""

    def call(logical_id: str, event: dict[str, Any]) -> Any:
        name = laptop.stack.functions[logical_id].name
        result = laptop.runner.invoke(name, json.dumps(event))
        payload = json.loads(result.payload)
        if result.is_error:
            raise FunctionError(payload)
        return payload

    return call


@pytest.fixture
def environment(laptop: LaptopCloud, request: pytest.FixtureRequest) -> Iterator[None]:
    """The environment of the function that the test's `function` marker names."""
    (logical_id,) = request.node.get_closest_marker("function").args
    with function_environment(laptop.stack.functions[logical_id].environment):
        yield


def sample(name: str, **changes: Any) -> dict[str, Any]:
    """The sample event of that name, with some fields changed."""
    event: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text("utf-8"))
    return {**event, **changes}


def samples() -> list[Path]:
    """All sample events."""
    return sorted((ROOT / "events").glob("*.json"))
