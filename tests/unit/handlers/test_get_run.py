import pytest
from support.fakes.clock import START
from support.run_records import UPSTREAM_RUN, USAGE, new_run
from support.wired_handlers import WiredHandlers

from upcall.domain.failure import Failure
from upcall.domain.run import Run
from upcall.domain.upstream_run import Message


@pytest.fixture
def run(handlers: WiredHandlers) -> Run:
    return handlers.repository.add_run(new_run())


def test_an_open_run_is_shown_without_a_message_and_upstream_ids(handlers: WiredHandlers, run: Run) -> None:
    handlers.repository.record_creation(run, UPSTREAM_RUN, "polled")

    response = handlers.request("get_run", run_id=run.run_id)

    assert response.status == 200
    assert (response.json["run_id"], response.json["prompt"]) == (run.run_id, "Go.")
    assert response.json["status"] == "in_progress"
    assert response.json.keys().isdisjoint({"message", "upstream_run", "intent", "previous_upstream_run"})


def test_a_completed_run_is_shown_with_its_message(handlers: WiredHandlers, run: Run) -> None:
    handlers.repository.complete_run(run, Message(text="Grüße 😀"), START)

    body = handlers.request("get_run", run_id=run.run_id).json

    assert (body["status"], body["message"]) == ("completed", "Grüße 😀")


def test_a_run_that_does_not_exist_is_a_problem(handlers: WiredHandlers) -> None:
    response = handlers.request("get_run")

    assert response.status == 404
    assert "there is no run" in response.json["detail"]


def test_a_caller_who_waits_gets_the_run_as_soon_as_it_has_ended(handlers: WiredHandlers, run: Run) -> None:
    done = Message(text="Done.")
    handlers.clock.schedule(0.3, lambda: handlers.repository.complete_run(run, done, START))

    body = handlers.request("get_run", run_id=run.run_id, query={"wait": "20"}).json

    assert (body["status"], body["message"]) == ("completed", "Done.")
    assert handlers.clock.monotonic() < 1


@pytest.mark.parametrize(("age", "seconds"), [(10, 15), (25, 0), (40, 0), (-5, 25)])
def test_the_wait_counts_from_the_time_of_the_request(
    handlers: WiredHandlers, run: Run, age: int, seconds: int
) -> None:
    """A cold start may have taken seconds of it; clocks may differ."""
    sent_at = handlers.clock.now().timestamp() - age

    response = handlers.request("get_run", run_id=run.run_id, query={"wait": "25"}, sent_at=sent_at)

    assert (response.status, handlers.clock.monotonic()) == (200, seconds)


@pytest.mark.parametrize(("query", "seconds"), [({"wait": "1"}, 1), ({"wait": "25"}, 25), ({}, 0)])
def test_a_caller_who_waits_in_vain_gets_the_run_as_it_is(
    handlers: WiredHandlers, run: Run, query: dict[str, str], seconds: int
) -> None:
    response = handlers.request("get_run", run_id=run.run_id, query=query)

    assert (response.status, response.json["status"]) == (200, "queued")
    assert handlers.clock.monotonic() == seconds


@pytest.mark.parametrize("wait", ["26", "-1", "long", "1.5", ""])
def test_a_wait_that_the_api_does_not_allow_is_rejected(handlers: WiredHandlers, run: Run, wait: str) -> None:
    response = handlers.request("get_run", run_id=run.run_id, query={"wait": wait})

    assert (response.status, response.json["status"]) == (400, 400)
    assert response.invalid_fields == ["wait"]
    assert handlers.clock.sleeps == []


def test_an_incomplete_run_is_shown_with_its_failure_and_the_text_that_it_has(
    handlers: WiredHandlers, run: Run
) -> None:
    failure = Failure(status="incomplete", code="max_output_tokens", message="It was too long.")
    handlers.repository.record_failure(run, failure, USAGE, START, "Once upon a")

    body = handlers.request("get_run", run_id=run.run_id).json

    assert (body["status"], body["message"]) == ("incomplete", "Once upon a")
    assert body["failure"] == failure.model_dump()


@pytest.mark.parametrize("text", ["x" * 5_000_000, "😀" * 600_000, "\x01" * 1_000_000])
def test_a_message_that_does_not_fit_into_a_response_is_shown_by_its_address(
    handlers: WiredHandlers, run: Run, text: str
) -> None:
    handlers.repository.complete_run(run, Message(text=text), START)

    body = handlers.request("get_run", run_id=run.run_id).json

    assert (body["status"], body["message_url"]) == ("completed", f"/runs/{run.run_id}/message")
    assert "message" not in body


def test_a_request_that_may_not_wait_is_answered_at_once_and_told_when_to_come_again(
    handlers: WiredHandlers, run: Run
) -> None:
    handlers.waiting_requests.places = 0

    response = handlers.request("get_run", run_id=run.run_id, query={"wait": "25"})

    assert (response.status, response.json["status"]) == (200, "queued")
    assert response.headers["Retry-After"] == "5"
    assert handlers.clock.monotonic() == 0
    assert "Retry-After" not in handlers.request("get_run", run_id=run.run_id).headers
