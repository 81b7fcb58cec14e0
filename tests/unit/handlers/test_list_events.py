"""GET /runs/{run_id}/events."""

import pytest
from support.fakes.clock import START
from support.run_records import ANSWER, CALL, UPSTREAM_RUN, USAGE, new_run
from support.wired_handlers import WiredHandlers

from upcall.domain.upstream_run import Message


@pytest.fixture
def run_id(handlers: WiredHandlers) -> str:
    """A run with one round that has completed."""
    repository = handlers.repository
    run = repository.add_run(new_run())
    repository.record_creation(run, UPSTREAM_RUN, "polled")
    repository.record_requested_calls(run.run_id, 1, [CALL], 0)
    repository.record_round(repository.get_run(run.run_id), UPSTREAM_RUN, [ANSWER], USAGE)
    repository.complete_run(repository.get_run(run.run_id), Message(text="Done."), START)
    return run.run_id


def test_the_events_of_a_run_are_listed_without_what_does_not_belong_to_them(
    handlers: WiredHandlers, run_id: str
) -> None:
    body = handlers.request("list_events", run_id=run_id).json

    assert [event["type"] for event in body["events"]] == [
        "run.queued",
        "run.in_progress",
        "run.requires_action",
        "tool_call.ended",
        "round.ended",
        "run.in_progress",
        "message.saved",
        "run.completed",
    ]
    assert (body["next"], body["ended"]) == (8, True)
    assert body["events"][2].keys() == {"number", "type", "at", "round", "calls"}
    assert body["events"][3].keys() == {
        "number",
        "type",
        "at",
        "round",
        "call",
        "name",
        "outcome",
        "duration_ms",
        "output_bytes",
    }


def test_the_list_goes_on_after_a_number(handlers: WiredHandlers, run_id: str) -> None:
    body = handlers.request("list_events", run_id=run_id, query={"after": "3", "limit": "2"}).json

    assert [event["number"] for event in body["events"]] == [4, 5]
    assert (body["next"], body["ended"]) == (5, False)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"after": "-1"}, "after"),
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"wait": "26"}, "wait"),
    ],
)
def test_a_wrong_parameter_is_named(
    handlers: WiredHandlers, run_id: str, query: dict[str, str], field: str
) -> None:
    response = handlers.request("list_events", run_id=run_id, query=query)

    assert response.status == 400
    assert [error["field"] for error in response.json["errors"]] == [field]
