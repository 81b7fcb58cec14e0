"""Handlers of the workflow's states: events, errors and log lines."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.log_capture import capture_logs

from upcall.domain.errors import InternalError, InvalidInput, NotFound
from upcall.domain.model import Model
from upcall.lambda_runtime.workflow_task import workflow_task
from upcall.observability.logging import logger


class TaskEvent(Model):
    run_id: str


def return_event(event: TaskEvent) -> TaskEvent:
    return event


def test_the_result_is_returned_as_json() -> None:
    assert workflow_task(return_event)({"run_id": "run_1"}, None) == {"run_id": "run_1"}


def test_an_invalid_event_is_rejected_by_the_name_of_the_field() -> None:
    with pytest.raises(InvalidInput, match="run_id: Field required"):
        workflow_task(return_event)({}, None)


def test_upcalls_own_errors_pass_through() -> None:
    @workflow_task
    def lambda_handler(event: TaskEvent) -> TaskEvent:
        raise NotFound("there is no run")

    with pytest.raises(NotFound, match="there is no run"):
        lambda_handler({"run_id": "run_1"}, None)


def test_any_other_error_becomes_an_internal_error_that_says_where_and_not_what() -> None:
    @workflow_task
    def lambda_handler(event: TaskEvent) -> TaskEvent:
        raise ValueError("hunter2")

    with capture_logs() as lines, pytest.raises(InternalError) as caught:
        lambda_handler({"run_id": "run_1"}, None)

    assert str(caught.value).startswith("ValueError at ")
    assert "test_workflow_task.py" in str(caught.value)
    assert caught.value.__cause__ is None
    assert [line["message"] for line in lines.parsed] == ["task started", "task failed"]
    assert "hunter2" not in f"{caught.value} {lines.text}"


def test_log_lines_of_concurrent_tasks_have_the_ids_of_their_own_runs() -> None:
    """On the local stack all functions share a process, and with it the logger."""
    all_started = threading.Barrier(8)

    @workflow_task
    def lambda_handler(event: TaskEvent) -> TaskEvent:
        all_started.wait()
        logger.info("inside", request_id=event.run_id)
        all_started.wait()
        return event

    with capture_logs() as lines, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: lambda_handler({"run_id": f"run_{number}"}, None), range(8)))

    inside = [line for line in lines.parsed if line["message"] == "inside"]
    assert len(inside) == 8
    assert all(line["run_id"] == line["request_id"] for line in inside)


def test_a_log_line_after_the_task_has_no_run_id() -> None:
    with capture_logs() as lines:
        workflow_task(return_event)({"run_id": "run_1"}, None)
        logger.info("after")

    assert lines.parsed[0]["run_id"] == "run_1"
    assert "run_id" not in lines.parsed[-1]
