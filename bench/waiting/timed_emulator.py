"""The OpenAI emulator of the benchmark: its models take given times, and it records when clients polled."""

import time
from collections.abc import Sequence

from flask import request, request_started

from local.openai_emulator import Emulator
from local.openai_emulator.conversation import Call, CallTools, Say
from local.openai_emulator.turn import Turn

MESSAGE = "The tide tables give the times of high and low water for each day, and their heights."


class TimedEmulator:
    """An emulator whose models take no time but that of their script.

    One run at a time can be timed: polls are told apart by their times alone.
    """

    def __init__(self) -> None:
        self._emulator = Emulator(model_seconds=0)
        self.base_url = self._emulator.base_url
        self.webhooks = self._emulator.webhooks
        self._poll_times: list[float] = []
        request_started.connect(self._record_request)

    def stop(self) -> None:
        """Stop serving."""
        request_started.disconnect(self._record_request)
        self._emulator.stop()

    def script(self, turn_seconds: Sequence[float], page: str) -> str:
        """Add a model that calls `fetch` in each turn but the last. Returns its name."""
        *rounds, last = turn_seconds
        calls = (Call.of("fetch", url=page),)
        return self._emulator.script(*(CallTools(calls, each) for each in rounds), Say(MESSAGE, last))

    def seconds_until_noticed(self, model: str) -> list[float]:
        """For each turn of a model, how long after its end a client asked for it."""
        return [seconds_until_poll(turn.done_at, self._poll_times) for turn in self._turns(model)]

    def _turns(self, model: str) -> Sequence[Turn]:
        return self._emulator.models.started_turns[model]

    def _record_request(self, *_: object, **__: object) -> None:
        if request.method == "GET":
            self._poll_times.append(time.time())


def seconds_until_poll(done_at: float, poll_times: Sequence[float]) -> float:
    """From the end of a turn until the next poll; zero if the client learnt of the end without one."""
    return min((each - done_at for each in poll_times if each >= done_at), default=0.0)
