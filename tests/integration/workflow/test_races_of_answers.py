"""Answers to a call that come at the same time: one of them holds, and the workflow gets that one.

The use cases with the table of the local stack, and a task of a workflow that a test plays.
"""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from support.answered_call import ANSWER_SECONDS, LOOKUP, AnsweredCall

from upcall.aws.run_repository import DynamoDBRunRepository

RACES = 200
HEAD_STARTS = (0.0, 0.005, 0.015, 0.03)
"""Seconds, so that each of the two is the first one now and then."""


def answer_at_the_same_time(number: int, *answers: Callable[[], Any]) -> list[Any]:
    """Let all answer at the same time. Returns their results, in their order."""
    late = number % len(answers)
    seconds = HEAD_STARTS[number // len(answers) % len(HEAD_STARTS)]
    barrier = threading.Barrier(len(answers))
    delay = threading.Event()

    def answer(position: int) -> Any:
        barrier.wait()
        if position == late:
            delay.wait(seconds)
        return answers[position]()

    with ThreadPoolExecutor(len(answers)) as pool:
        return list(pool.map(answer, range(len(answers))))


def test_a_decision_and_the_end_of_its_time(repository: DynamoDBRunRepository) -> None:
    """The decision holds and the workflow gets it, or it comes too late and the workflow gets the time-out."""
    outcomes: Counter[tuple[int, str]] = Counter()
    for number in range(RACES):
        call = AnsweredCall(repository)
        call.task.token = "token 2"  # noqa: S105  # the first time-out is over
        status, _ = answer_at_the_same_time(
            number, partial(call.decide, "approve", "bob"), partial(call.look, "token 2", ANSWER_SECONDS)
        )
        outcomes[status, call.received] += 1
        assert call.repository.get_run(call.run.run_id).waiting_calls == frozenset()

    assert set(outcomes) == {(200, "approved"), (409, "timed out")}, outcomes


def test_an_output_and_the_end_of_its_time(repository: DynamoDBRunRepository) -> None:
    outcomes: Counter[tuple[int, str]] = Counter()
    for number in range(RACES // 4):
        call = AnsweredCall(repository, LOOKUP)
        call.task.token = "token 2"  # noqa: S105  # the first time-out is over
        status, _ = answer_at_the_same_time(
            number, partial(call.give_output, "42"), partial(call.look, "token 2", ANSWER_SECONDS)
        )
        outcomes[status, call.received] += 1

    assert set(outcomes) <= {(200, "42"), (409, "timed out")}, outcomes


def test_two_people_decide_differently(repository: DynamoDBRunRepository) -> None:
    outcomes: Counter[tuple[int, int, str]] = Counter()
    for number in range(RACES // 4):
        call = AnsweredCall(repository)
        approval, denial = answer_at_the_same_time(
            number, partial(call.decide, "approve", "bob"), partial(call.decide, "deny", "eve")
        )
        outcomes[approval, denial, call.received] += 1

    assert set(outcomes) == {(200, 409, "approved"), (409, 200, "denied")}, outcomes


@pytest.mark.parametrize("decision", ["approve", "deny"])
def test_a_decision_while_the_task_is_started_again(repository: DynamoDBRunRepository, decision: str) -> None:
    """The newest token is completed: by the decision, or by the function that brings the token."""
    outcomes: Counter[tuple[int, str]] = Counter()
    for number in range(RACES // 4):
        call = AnsweredCall(repository)
        call.task.token = "token 2"  # noqa: S105  # Lambda had lost the first invocation
        status, _ = answer_at_the_same_time(
            number, partial(call.decide, decision, "bob"), partial(call.look, "token 2")
        )
        outcomes[status, call.received] += 1

    assert set(outcomes) == {(200, {"approve": "approved", "deny": "denied"}[decision])}, outcomes
