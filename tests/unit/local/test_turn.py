"""A turn of the emulator's model whose time ends while a request reads it."""

from types import SimpleNamespace

import pytest

from local.openai_emulator import turn as turn_module
from local.openai_emulator.assistant_threads import Run
from local.openai_emulator.conversation import Conversation, Say
from local.openai_emulator.responses import _document, _StoredResponse
from local.openai_emulator.turn import Turn


@pytest.fixture
def turn(monkeypatch: pytest.MonkeyPatch) -> Turn:
    """A turn that is in progress when it is read for the first time, and done when it is read again."""
    times = iter((0.9, *([1.1] * 10)))
    monkeypatch.setattr(turn_module, "time", SimpleNamespace(time=lambda: next(times)))
    conversation = Conversation("", (), ())
    return Turn("m", conversation, Say("Done."), model_seconds=1, number=1, created_at=0)


def test_a_response_is_in_progress_as_a_whole(turn: Turn) -> None:
    document = _document(_StoredResponse("resp_1", {"model": "m"}, turn))

    assert (document["status"], document["output"], document["usage"]) == ("in_progress", [], None)


def test_a_run_of_the_assistants_api_has_one_status(turn: Turn) -> None:
    assert Run({"id": "run_1"}, [turn]).status == "in_progress"
