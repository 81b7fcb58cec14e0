"""Two answers to a call, one of which comes between any two reads and writes of the other: one of them holds."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from support.answered_call import ANSWER_SECONDS, AnsweredCall
from support.fakes.clock import FakeClock
from support.fakes.run_repository import InMemoryRunRepository

from upcall.use_cases.answer_call import complete_answered_calls

Act = Callable[[AnsweredCall], Any]
"""Answers a call. Returns the status of the response, if there is one."""

MAX_STEPS = 50


class InterruptedRepository(InMemoryRunRepository):
    """Lets something happen before the read or write of that number. `interrupted` says whether it did."""

    def __init__(self) -> None:
        super().__init__()
        self.interrupted = False
        self._remaining = 0
        self._interrupt: Callable[[], Any] | None = None

    def interrupt(self, step: int, interrupt: Callable[[], Any]) -> None:
        """Do this before the step of that number from now on."""
        self._remaining, self._interrupt = step, interrupt

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("_") and name not in ("interrupt", "interrupted") and self._interrupt:
            self._remaining -= 1
            if not self._remaining:
                interrupt, self._interrupt, self.interrupted = self._interrupt, None, True
                interrupt()
        return super().__getattribute__(name)


def approve(call: AnsweredCall) -> int:
    return call.decide("approve", "bob")


def deny(call: AnsweredCall) -> int:
    return call.decide("deny", "eve")


def end_the_time(call: AnsweredCall) -> None:
    """The task of the workflow has timed out: its function is invoked with another token."""
    call.task.token = "token 2"  # noqa: S105  # of a test
    call.look("token 2", ANSWER_SECONDS)


def start_the_task_again(call: AnsweredCall) -> None:
    """Lambda has lost the first invocation."""
    call.task.token = "token 2"  # noqa: S105  # of a test
    call.look("token 2")


def sweep(call: AnsweredCall) -> None:
    """The sweeper finds the call when its time is over."""
    clock = FakeClock()
    clock.advance(ANSWER_SECONDS)
    run = call.repository.get_run(call.run.run_id)
    complete_answered_calls(run, clock.now(), call.repository, call.task)


DECISIONS: dict[Act, str] = {approve: "approved", deny: "denied"}
"""What the workflow receives if the decision was accepted."""


@pytest.mark.parametrize(
    ("one", "other", "received"),
    [
        (approve, end_the_time, {"approved", "timed out"}),
        (end_the_time, approve, {"approved", "timed out"}),
        (approve, start_the_task_again, {"approved"}),
        (start_the_task_again, deny, {"denied"}),
        (approve, deny, {"approved", "denied"}),
        (approve, sweep, {"approved", "timed out"}),
        (sweep, approve, {"approved", "timed out"}),
        (end_the_time, sweep, {"timed out"}),
        (sweep, end_the_time, {"timed out"}),
        (sweep, sweep, {"timed out"}),
    ],
)
def test_one_answer_holds_and_the_workflow_gets_it(one: Act, other: Act, received: set[str]) -> None:
    seen = set()
    for step in range(1, MAX_STEPS):
        repository = InterruptedRepository()
        call = AnsweredCall(repository)
        statuses: dict[Act, Any] = {}

        def answer(act: Act, call: AnsweredCall, statuses: dict[Act, Any]) -> None:
            statuses[act] = act(call)

        repository.interrupt(step, partial(answer, other, call, statuses))
        answer(one, call, statuses)
        if not repository.interrupted:
            break
        seen.add(call.received)
        for act in DECISIONS.keys() & statuses:
            assert statuses[act] == (200 if call.received == DECISIONS[act] else 409), f"step {step}"
        assert repository.get_run(call.run.run_id).waiting_calls == frozenset()
    else:
        raise AssertionError("there are too many steps")
    assert seen == received
    assert step > 2
