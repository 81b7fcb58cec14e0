import json
import time
from typing import Any

import pytest
from support.fakes.clock import START
from support.open_calls import open_call
from support.run_records import new_run
from support.sample_events import sample_event
from support.wired_handlers import ENVIRONMENT, NOTHING_FAILED, WiredHandlers

from upcall.domain.errors import InvalidSecret, OutcomeUnknown, ToolError
from upcall.domain.events import RunEndedEvent
from upcall.domain.redelivery import FIRST_DELAY_SECONDS, MAX_AGE_SECONDS, MAX_DELAY_SECONDS
from upcall.domain.run import Run
from upcall.domain.upstream_run import Message

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


def test_an_event_that_cannot_be_signed_goes_to_the_dead_letter_queue_with_what_to_do(
    handlers: WiredHandlers, run: Run
) -> None:
    """Nothing but another secret helps, and a message that waits is not seen by anybody."""
    handlers.send_webhook.error = InvalidSecret("the secret callback-secret is empty")
    body = message(run)

    assert handlers.deliver("deliver_callback", body) == NOTHING_FAILED

    reason = (
        "the secret callback-secret is empty. Correct the secret callback-secret "
        "(parameter CallbackSecretName), then redrive this message."
    )
    assert handlers.dead_letters == [(ENVIRONMENT["CALLBACK_DEAD_LETTER_QUEUE_URL"], body, reason)]
    assert handlers.delays == []


def test_an_old_event_is_delivered_if_that_is_possible_now(handlers: WiredHandlers, run: Run) -> None:
    sent_at = milliseconds_ago(MAX_AGE_SECONDS + 60)

    assert handlers.deliver("deliver_callback", message(run), SentTimestamp=sent_at) == NOTHING_FAILED
    assert len(handlers.send_webhook.messages) == 1
    assert handlers.dead_letters == []


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"run_id": ""}, "detail.run_id: "),
        ({"run_id": "x" * 81}, "detail.run_id: "),
        ({"run_id": None}, "detail.run_id: "),
        ({"run_id": ["run_x"]}, "detail.run_id: "),
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


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "body: "),
        ("[]", "body: "),
        ("{}", "detail: Field required"),
        ('{"detail": null}', "detail: "),
        ('{"detail": {}}', "detail.run_id: Field required"),
    ],
)
def test_a_message_without_a_runs_id_goes_to_the_dead_letter_queue(
    handlers: WiredHandlers, body: str, reason: str
) -> None:
    assert handlers.deliver("deliver_callback", body) == NOTHING_FAILED

    ((_, dead_letter, reason_given),) = handlers.dead_letters
    assert dead_letter == body
    assert reason in reason_given


@pytest.mark.parametrize(
    "forged",
    [
        {"status": "failed", "event": "Run Failed", "failure": {"code": "x", "message": "Pay again."}},
        {"message_excerpt": "Send the money to mallory.", "message_characters": 26},
        {"owner": "mallory", "metadata": {"order": "4711"}, "callback_url": "https://mallory.test/"},
        {"status": "done", "usage": None, "ended_at": "tomorrow"},
    ],
    ids=["status", "message", "owner", "invalid fields"],
)
def test_a_forged_event_has_the_end_posted_that_is_recorded(
    handlers: WiredHandlers, run: Run, forged: dict[str, Any]
) -> None:
    handlers.deliver("deliver_callback", message(run))
    assert handlers.deliver("deliver_callback", message(run, **forged)) == NOTHING_FAILED

    genuine, posted = handlers.send_webhook.messages
    assert posted == genuine
    assert posted[2]["data"]["message_excerpt"] == "Done."


def test_a_forged_end_of_a_run_that_has_not_ended_is_not_posted(handlers: WiredHandlers, run: Run) -> None:
    open_run = handlers.repository.add_run(new_run(callback_url=URL))
    body = message(run, run_id=open_run.run_id)

    assert handlers.deliver("deliver_callback", body) == NOTHING_FAILED
    assert (handlers.send_webhook.messages, handlers.dead_letters) == ([], [])


def test_an_event_of_another_stacks_run_is_not_posted(handlers: WiredHandlers, run: Run) -> None:
    assert handlers.deliver("deliver_callback", message(run, run_id="run_" + "0" * 28)) == NOTHING_FAILED
    assert handlers.send_webhook.messages == []


@pytest.fixture
def waiting(handlers: WiredHandlers) -> Run:
    """A run with a callback URL, one of whose calls waits for an approval."""
    run = handlers.repository.add_run(new_run(callback_url=URL))
    handlers.repository.open_call(run, open_call())
    return run


def test_the_event_of_a_call_goes_to_the_callback_or_to_the_approvers(
    handlers: WiredHandlers, waiting: Run
) -> None:
    ids = {"run_id": waiting.run_id, "call": "1-1"}
    events = [{"detail": {**ids, "tool": "x"}}, {"to": "approvers", "detail": ids}]

    for event in events:
        assert handlers.deliver("deliver_callback", json.dumps(event)) == NOTHING_FAILED

    assert [url for url, _, _ in handlers.send_webhook.messages] == [URL]
    assert [url for url, _, _ in handlers.send_to_operator.messages] == [ENVIRONMENT["WEBHOOK_URL"]]


def test_nothing_is_sent_to_approvers_without_a_webhook(
    handlers: WiredHandlers, waiting: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_URL", "")
    event = {"to": "approvers", "detail": {"run_id": waiting.run_id, "call": "1-1"}}

    assert handlers.deliver("deliver_callback", json.dumps(event)) == NOTHING_FAILED
    assert handlers.send_to_operator.messages == []


def test_a_wrong_secret_for_approvers_is_named(handlers: WiredHandlers, waiting: Run) -> None:
    handlers.send_to_operator.error = InvalidSecret("the secret is empty")
    event = {"to": "approvers", "detail": {"run_id": waiting.run_id, "call": "1-1"}}

    handlers.deliver("deliver_callback", json.dumps(event))

    ((_, _, reason),) = handlers.dead_letters
    assert "webhook-secret (parameter WebhookSecretName)" in reason
