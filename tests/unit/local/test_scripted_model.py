"""The turns of a model that follows a script."""

import pytest

from local.openai_emulator.conversation import Call, CallTools, Conversation, Say, Step
from local.openai_emulator.scripted_model import ScriptedModels


@pytest.mark.parametrize("kind", ["a message", "calls"])
@pytest.mark.parametrize(("after_seconds", "expected"), [(3, 3), (0.1, 1)])
def test_a_step_takes_its_own_time_if_that_is_longer_than_the_model_s(
    kind: str, after_seconds: float, expected: float
) -> None:
    models = ScriptedModels()
    calls = (Call.of("fetch", url="https://example.com"),)
    step: Step = Say("Done.", after_seconds) if kind == "a message" else CallTools(calls, after_seconds)

    turn = models.start_turn(models.script(step), Conversation("Go.", ("fetch",)), model_seconds=1)

    assert turn.model_seconds == expected
