"""The door of the handlers that the workflow calls."""

import json
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from upcall.domain.model import Model
from upcall.lambda_runtime.workflow_task import step
from upcall.observability.logging import SERVICE, logger


class Asked(Model):
    run_id: str


class Written(logging.Handler):
    """The lines that the logger writes, read again."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logger.registered_formatter)
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(self.format(record)))


@pytest.fixture
def written() -> Iterator[Written]:
    handler = Written()
    logging.getLogger(SERVICE).addHandler(handler)
    yield handler
    logging.getLogger(SERVICE).removeHandler(handler)


def test_lines_of_runs_that_are_worked_on_at_once_bear_their_own_ids(written: Written) -> None:
    """As on the laptop cloud, where all functions share a process, and with it the logger."""
    at_work = threading.Barrier(8)

    @step
    def handle(event: Asked) -> Asked:
        at_work.wait()
        logger.info("inside", request_id=event.run_id)
        at_work.wait()
        return event

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: handle({"run_id": f"run_{number}"}, None), range(8)))

    inside = [line for line in written.lines if line["message"] == "inside"]
    assert len(inside) == 8
    assert all(line["run_id"] == line["request_id"] for line in inside)


def test_the_next_line_of_a_process_bears_no_id_of_a_run_before(written: Written) -> None:
    step(_same)({"run_id": "run_1"}, None)

    logger.info("after")

    assert written.lines[0]["run_id"] == "run_1"
    assert "run_id" not in written.lines[-1]


def _same(event: Asked) -> Asked:
    return event
