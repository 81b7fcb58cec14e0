import json
from typing import Any

import pytest
from support.run_records import UPSTREAM_RUN, new_run
from support.sample_events import sample_event
from support.wired_handlers import ENVIRONMENT, NOTHING_FAILED, WiredHandlers

from upcall.domain.errors import TransientError
from upcall.domain.run import Run


def message(**detail: Any) -> str:
    """The sample's message with another detail."""
    body = json.loads(sample_event("close_run")["Records"][0]["body"])
    return json.dumps({**body, "detail": {**body["detail"], **detail}})


@pytest.fixture
def run(handlers: WiredHandlers) -> Run:
    """A run that is in progress."""
    run = handlers.repository.add_run(new_run())
    handlers.repository.record_creation(run, UPSTREAM_RUN, "polled")
    return handlers.repository.get_run(run.run_id)


def test_the_sample_is_about_a_run_that_does_not_exist_any_more(handlers: WiredHandlers) -> None:
    assert handlers.invoke("close_run", sample_event("close_run")) == NOTHING_FAILED
    assert handlers.publisher.events == []


def test_an_open_run_is_closed(handlers: WiredHandlers, run: Run) -> None:
    body = message(name=run.run_id, status="FAILED", error="Lost", cause="Gone.")

    assert handlers.deliver("close_run", body) == NOTHING_FAILED

    failure = handlers.repository.get_run(run.run_id).failure
    assert failure is not None
    assert (failure.code, failure.message) == ("Lost", "The execution failed. Gone.")
    assert len(handlers.publisher.events) == 1
    assert handlers.run_api.cancelled == [UPSTREAM_RUN]


def test_a_message_whose_run_cannot_be_closed_now_is_returned_to_the_queue_and_no_other(
    handlers: WiredHandlers, run: Run
) -> None:
    another = handlers.repository.add_run(new_run())
    handlers.run_api.fail_next("cancel", TransientError("503"))
    bodies = [message(name=each.run_id, status="ABORTED") for each in (run, another)]

    result = handlers.deliver("close_run", *bodies)

    assert result == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert handlers.repository.get_run(another.run_id).event_published


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (message(status="LOST"), "detail.status: Input should be 'FAILED', "),
        (message(status="RUNNING"), "detail.status: Input should be 'FAILED', "),
        (message(name=""), "detail.name: "),
        (message(name="x" * 81), "detail.name: "),
        ("{}", "detail: Field required"),
        ("not JSON", "body: Invalid JSON"),
    ],
)
def test_a_message_that_is_not_understood_goes_to_the_dead_letter_queue(
    handlers: WiredHandlers, body: str, reason: str
) -> None:
    assert handlers.deliver("close_run", body) == NOTHING_FAILED

    ((queue, dead_letter, reason_given),) = handlers.dead_letters
    assert (queue, dead_letter) == (ENVIRONMENT["ENDED_EXECUTION_DEAD_LETTER_QUEUE_URL"], body)
    assert reason in reason_given
