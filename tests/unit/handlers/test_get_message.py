import json

import pytest
from support.fakes.clock import START
from support.run_records import new_run
from support.wired_handlers import WiredHandlers

from upcall.domain.run import Run
from upcall.domain.upstream_run import Message


def add_completed_run(handlers: WiredHandlers, text: str) -> Run:
    run = handlers.repository.add_run(new_run())
    return handlers.repository.complete_run(run, Message(text=text), START)


def read_parts(handlers: WiredHandlers, run: Run) -> list[str]:
    """The parts of the run's message, each read with the cursor of the one before."""
    parts: list[str] = []
    query: dict[str, str] = {}
    while True:
        response = handlers.request("get_message", run_id=run.run_id, query=query)
        assert response.status == 200
        assert len(json.dumps(json.dumps(response.json))) < 6_000_000
        parts.append(response.json["text"])
        if "next_cursor" not in response.json:
            return parts
        query = {"cursor": response.json["next_cursor"]}


@pytest.mark.parametrize("text", ["Done.", "ä😀\x01" * 200_000, "x" * 8_000_000])
def test_all_parts_together_are_the_message(handlers: WiredHandlers, text: str) -> None:
    parts = read_parts(handlers, add_completed_run(handlers, text))

    assert "".join(parts) == text
    assert all(len(part.encode()) <= 350_000 for part in parts)


def test_a_run_without_a_message_has_none(handlers: WiredHandlers) -> None:
    run = handlers.repository.add_run(new_run())

    response = handlers.request("get_message", run_id=run.run_id)

    assert (response.status, response.json["detail"]) == (404, f"run {run.run_id} has no message")


def test_a_part_that_does_not_exist_is_not_found(handlers: WiredHandlers) -> None:
    run = add_completed_run(handlers, "Done.")

    response = handlers.request("get_message", run_id=run.run_id, query={"cursor": "1"})

    assert response.status == 404
    assert response.json["detail"] == f"run {run.run_id} has no such part of its message"


@pytest.mark.parametrize("cursor", ["", "-1", "a", "10000", "1\n"])
def test_an_invalid_cursor_is_named(handlers: WiredHandlers, cursor: str) -> None:
    response = handlers.request("get_message", query={"cursor": cursor})

    assert (response.status, response.invalid_fields) == (400, ["cursor"])
