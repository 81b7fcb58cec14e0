"""The events of a run as a stream, as a browser's EventSource reads it."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.open_calls import LOOKUP_TOOL
from support.runs import Runs

from local.openai_emulator import Call, CallTools, Say
from local.stack import LocalStack

HEADERS = {"Accept": "text/event-stream"}


def read_stream(url: str, headers: dict[str, str] | None = None) -> Iterator[dict[str, Any]]:
    """The events of a stream as they come."""
    with httpx.stream("GET", url, headers={**HEADERS, **(headers or {})}, timeout=30) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        for line in response.iter_lines():
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "data" in fields:
                data = json.loads(fields["data"])
                if "type" in data:
                    assert fields["event"] == data["type"]
                    assert fields["id"].split(":")[0] == str(data["number"])
                yield data if "type" in data else {**data, "type": fields["event"], "id": fields["id"]}
                fields = {}


@pytest.fixture
def waiting_run(runs: Runs) -> tuple[str, str]:
    """A run that waits for its caller, and the call."""
    run_id = runs.start_script(CallTools((Call.of("lookup", order=1),)), Say("Done."), tools=[LOOKUP_TOOL])
    (call,) = runs.wait_for_open_calls(run_id)
    return run_id, call["id"]


def test_events_come_as_they_happen_and_the_stream_ends_with_the_run(
    runs: Runs, local_stack: LocalStack, waiting_run: tuple[str, str]
) -> None:
    run_id, call = waiting_run
    events = []
    for event in read_stream(f"{local_stack.endpoints.api}/runs/{run_id}/events"):
        events.append(event)
        if event["type"] == "tool_call.waiting":
            runs.give_outputs(run_id, {call: "42"})

    assert events[-1]["type"] == "run.completed"
    assert events == runs.http.get(f"/runs/{run_id}/events").json()["events"]


def test_a_stream_that_was_cut_off_goes_on_after_the_last_event(
    runs: Runs, local_stack: LocalStack, waiting_run: tuple[str, str]
) -> None:
    run_id, call = waiting_run
    url = f"{local_stack.endpoints.api}/runs/{run_id}/events"
    first = next(read_stream(url))
    runs.give_outputs(run_id, {call: "42"})
    rest = list(read_stream(url, {"Last-Event-ID": str(first["number"])}))

    assert [event["number"] for event in rest] == list(range(2, len(rest) + 2))
    ended = httpx.get(url, headers={**HEADERS, "Last-Event-ID": str(rest[-1]["number"])})
    assert ended.status_code == 204, "EventSource stops then"


def test_an_error_is_no_stream(local_stack: LocalStack) -> None:
    url = f"{local_stack.endpoints.api}/runs/run_0/events"

    assert httpx.get(url, headers=HEADERS).status_code == 404
    wrong = httpx.get(url, headers={**HEADERS, "Last-Event-ID": "x"})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (400, "after")


def test_the_text_comes_with_the_events_and_the_id_has_the_numbers_of_both(
    runs: Runs, local_stack: LocalStack
) -> None:
    run_id = runs.start_script(Say("One two three.", after_seconds=1), stream=True)
    url = f"{local_stack.endpoints.api}/runs/{run_id}/events?text_after=0"

    events = list(read_stream(url))

    pieces = [event for event in events if event["type"] == "text"]
    assert "".join(piece["text"] for piece in pieces) == "One two three."
    assert pieces[0]["id"] == "2:1"
    assert events[-1]["type"] == "run.completed"
    rest = list(read_stream(url, {"Last-Event-ID": pieces[0]["id"]}))
    assert rest == events[events.index(pieces[0]) + 1 :]
    ended = httpx.get(
        url, headers={**HEADERS, "Last-Event-ID": f"{events[-1]['number']}:{pieces[-1]['number']}"}
    )
    assert ended.status_code == 204


def test_without_text_the_id_is_the_number_of_the_event(runs: Runs, local_stack: LocalStack) -> None:
    run_id = runs.start_script(Say("One."), stream=True)
    runs.wait_for_end(run_id)

    events = list(read_stream(f"{local_stack.endpoints.api}/runs/{run_id}/events"))

    assert "text" not in [event["type"] for event in events]
    again = httpx.get(
        f"{local_stack.endpoints.api}/runs/{run_id}/events",
        headers={**HEADERS, "Last-Event-ID": str(events[-1]["number"])},
    )
    assert again.status_code == 204
