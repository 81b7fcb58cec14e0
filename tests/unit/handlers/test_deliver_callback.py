import json
import time
from typing import Any

import pytest
from support.fakes.clock import START
from support.run_records import new_run
from support.sample_events import sample_event
from support.wired_handlers import ENVIRONMENT, NOTHING_FAILED, WiredHandlers

from upcall.domain.errors import OutcomeUnknown, ToolError
from upcall.domain.events import RunEndedEvent
from upcall.domain.run import Run
from upcall.domain.upstream_run import Message
from upcall.use_cases.deliver_callback import FIRST_DELAY_SECONDS, MAX_AGE_SECONDS, MAX_DELAY_SECONDS

URL = "https://example.com/hook"


@pytest.fixture
def run(handlers: WiredHandlers) -> Run:
    """A completed run with a callback URL."""
    run = handlers.repository.add_run(new_run(callback_url=URL))
    return handlers.repository.complete_run(run, Message(text="Done."), START)


def message(run: Run, **fields: Any) -> str:
    """The event of a run's end, as the bus delivers it."""
    return json.dumps({"id": "1", "detail": {**RunEndedEvent.of(run).model_dump(mode="json"), **fields}})


def milliseconds_ago(seconds: float) -> str:
    return str(round((time.time() - seconds) * 1000))


def test_the_sample_is_about_a_run_that_does_not_exist_any_more(handlers: WiredHandlers) -> None:
    assert handlers.invoke("deliver_callback", sample_event("deliver_callback")) == NOTHING_FAILED
    assert handlers.send_webhook.messages == []


def test_an_event_is_delivered(handlers: WiredHandlers, run: Run) -> None:
    assert handlers.deliver("deliver_callback", message(run)) == NOTHING_FAILED

    ((url, message_id, _),) = handlers.send_webhook.messages
    assert (url, message_id) == (URL, f"msg_{run.run_id}")


@pytest.mark.parametrize("error", [ToolError("503"), OutcomeUnknown("no response")])
@pytest.mark.parametrize(
    ("tries", "longest"), [(1, FIRST_DELAY_SECONDS), (3, 4 * FIRST_DELAY_SECONDS), (99, MAX_DELAY_SECONDS)]
)
def test_an_event_that_did_not_arrive_is_delayed_and_returned_to_the_queue(
    handlers: WiredHandlers, run: Run, error: Exception, tries: int, longest: int
) -> None:
    handlers.send_webhook.error = error
    received = {"SentTimestamp": milliseconds_ago(3600), "ApproximateReceiveCount": str(tries)}

    result = handlers.deliver("deliver_callback", message(run), **received)

    assert result == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    ((queue, receipt_handle, seconds),) = handlers.delays
    assert (queue, receipt_handle) == (ENVIRONMENT["CALLBACK_QUEUE_URL"], "MessageReceiptHandle")
    assert longest / 2 <= seconds <= longest
    assert handlers.dead_letters == []


def test_an_event_that_has_not_arrived_after_a_day_goes_to_the_dead_letter_queue(
    handlers: WiredHandlers, run: Run
) -> None:
    handlers.send_webhook.error = ToolError("no connection to example.com")
    body = message(run)

    result = handlers.deliver("deliver_callback", body, SentTimestamp=milliseconds_ago(MAX_AGE_SECONDS + 60))

    assert result == NOTHING_FAILED
    assert handlers.dead_letters == [
        (ENVIRONMENT["CALLBACK_DEAD_LETTER_QUEUE_URL"], body, "no connection to example.com")
    ]
    assert handlers.delays == []


def test_an_old_event_is_delivered_if_that_is_possible_now(handlers: WiredHandlers, run: Run) -> None:
    sent_at = milliseconds_ago(MAX_AGE_SECONDS + 60)

    assert handlers.deliver("deliver_callback", message(run), SentTimestamp=sent_at) == NOTHING_FAILED
    assert len(handlers.send_webhook.messages) == 1
    assert handlers.dead_letters == []


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"status": "done"}, "detail.status: "),
        ({"run_id": ""}, "detail.run_id: "),
        ({"run_id": "x" * 81}, "detail.run_id: "),
        ({"usage": None}, "detail.usage: "),
    ],
)
def test_an_event_that_is_not_understood_goes_to_the_dead_letter_queue(
    handlers: WiredHandlers, run: Run, fields: dict[str, Any], reason: str
) -> None:
    body = message(run, **fields)

    assert handlers.deliver("deliver_callback", body) == NOTHING_FAILED

    ((_, dead_letter, reason_given),) = handlers.dead_letters
    assert dead_letter == body
    assert reason in reason_given
    assert handlers.send_webhook.messages == []
