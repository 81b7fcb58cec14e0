"""A function of a state that waits for its token completes the task, or lets somebody else do it."""

from typing import Any

import pytest

from upcall.domain.errors import TransientError
from upcall.domain.model import Model
from upcall.lambda_runtime.workflow_task import waiting_task


class Event(Model):
    result: str | None = None
    task_token: str = ""


class Result(Model):
    status: str


completed: list[tuple[str, dict[str, Any]]] = []


@waiting_task(lambda token, output: completed.append((token, output)))
def lambda_handler(event: Event) -> Result | None:
    if event.result == "fail":
        raise TransientError("503")
    return Result(status=event.result) if event.result else None


@pytest.fixture(autouse=True)
def _no_task_is_completed() -> None:
    completed.clear()


def test_a_result_completes_the_task() -> None:
    assert lambda_handler({"result": "done", "task_token": "token"}, None) == {}
    assert completed == [("token", {"status": "done"})]


def test_without_a_result_the_task_goes_on_waiting() -> None:
    assert lambda_handler({"task_token": "token"}, None) == {}
    assert completed == []


def test_without_a_token_the_result_is_returned() -> None:
    assert lambda_handler({"result": "done"}, None) == {"status": "done"}
    assert completed == []


def test_an_error_fails_the_task() -> None:
    with pytest.raises(TransientError):
        lambda_handler({"result": "fail", "task_token": "token"}, None)
    assert completed == []


def test_a_task_that_cannot_be_completed_fails_and_is_tried_again() -> None:
    @waiting_task(unavailable)
    def lambda_handler(event: Event) -> Result | None:
        return Result(status="done")

    with pytest.raises(TransientError, match="SendTaskSuccess"):
        lambda_handler({"task_token": "token"}, None)


def test_a_task_that_waits_no_longer_is_no_error() -> None:
    @waiting_task(lambda *_: False)
    def lambda_handler(event: Event) -> Result | None:
        return Result(status="done")

    assert lambda_handler({"task_token": "token"}, None) == {}


def unavailable(*_: object) -> None:
    raise TransientError("SendTaskSuccess: ThrottlingException")
