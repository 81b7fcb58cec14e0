"""One laptop cloud for all tests: the real template, the real handlers, moto, real HTTP on loopback.

Tests share it and do not meet: each makes its own runs, and scripts the model for its own.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from support.event_listener import EventListener
from support.sample_events import FunctionError, Invoke
from support.used_permissions import UsedRights

from local.config import Profile
from local.stack import LocalStack


@pytest.fixture(scope="session")
def used_rights() -> UsedRights:
    """What the functions of the laptop cloud have asked AWS for, in all tests so far."""
    return UsedRights()


@pytest.fixture(scope="session")
def laptop(
    tmp_path_factory: pytest.TempPathFactory,
    used_rights: UsedRights,  # it must be there before the first client is
) -> Iterator[LocalStack]:
    """The laptop cloud, in a hurry: a model that thinks for 20 ms, polled as often."""
    profile = Profile(
        state_folder=tmp_path_factory.mktemp("state"),
        thinking_seconds=0.02,
        poll_after_ms=20,
        parameters={"PollWindowSeconds": "3"},
    )
    with LocalStack(profile) as cloud:
        yield cloud


@pytest.fixture(scope="session")
def invoke(laptop: LocalStack) -> Invoke:
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
def hearing(laptop: LocalStack) -> Iterator[EventListener]:
    """What the bus announces while a test goes on."""
    ear = EventListener(laptop)
    yield ear
    ear.stop()
