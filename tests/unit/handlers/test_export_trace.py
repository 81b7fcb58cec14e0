import json
import time
from typing import Any

import pytest
from support.run_records import FAILURE, USAGE, new_run
from support.sample_events import sample_event
from support.traces import REFUND, complete_run_with_calls, spans_of
from support.wired_handlers import ENVIRONMENT, NOTHING_FAILED, WiredHandlers

from upcall.domain.errors import InvalidSecret, RequestRejected, TransientError
from upcall.domain.events import RunEndedEvent
from upcall.domain.redelivery import FIRST_DELAY_SECONDS, MAX_AGE_SECONDS
from upcall.domain.run import Run


@pytest.fixture
def run(handlers: WiredHandlers) -> Run:
    """A completed run."""
    return complete_run_with_calls(handlers.repository)


def message(run: Run, **fields: Any) -> str:
    """The event of a run's end, as the bus delivers it."""
    return json.dumps({"id": "1", "detail": {**RunEndedEvent.of(run).model_dump(mode="json"), **fields}})


def milliseconds_ago(seconds: float) -> str:
    return str(round((time.time() - seconds) * 1000))


def test_the_sample_is_about_a_run_that_does_not_exist_any_more(handlers: WiredHandlers) -> None:
    assert handlers.invoke("export_trace", sample_event("export_trace")) == NOTHING_FAILED
    assert handlers.send_spans.requests == []


def test_a_run_is_sent_as_a_trace(handlers: WiredHandlers, run: Run) -> None:
    assert handlers.deliver("export_trace", message(run)) == NOTHING_FAILED

    (request,) = handlers.send_spans.requests
    assert spans_of(request)[0]["name"] == "invoke_agent summarizer"


@pytest.mark.parametrize(("setting", "is_sent"), [("yes", True), ("no", False)])
def test_content_is_sent_if_the_operator_wants_it(
    handlers: WiredHandlers, run: Run, monkeypatch: pytest.MonkeyPatch, setting: str, is_sent: bool
) -> None:
    monkeypatch.setenv("TRACE_CONTENT", setting)
    handlers.deliver("export_trace", message(run))

    assert (json.dumps(REFUND.arguments) in json.dumps(handlers.send_spans.requests)) is is_sent


def test_nothing_is_sent_without_an_endpoint(
    handlers: WiredHandlers, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTLP_ENDPOINT", "")

    assert handlers.deliver("export_trace", message(run)) == NOTHING_FAILED
    assert handlers.send_spans.requests == []


@pytest.mark.parametrize(("pause", "shortest"), [(None, FIRST_DELAY_SECONDS / 2), (600, 600)])
def test_a_trace_that_did_not_arrive_is_delayed_as_long_as_the_receiver_asks(
    handlers: WiredHandlers, run: Run, pause: float | None, shortest: float
) -> None:
    handlers.send_spans.error = TransientError("the OTLP endpoint returned 503", retry_after=pause)

    result = handlers.deliver("export_trace", message(run), SentTimestamp=milliseconds_ago(60))

    assert result == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    ((queue, receipt_handle, seconds),) = handlers.delays
    assert (queue, receipt_handle) == (ENVIRONMENT["TRACE_QUEUE_URL"], "MessageReceiptHandle")
    assert shortest <= seconds <= max(shortest, FIRST_DELAY_SECONDS)
    assert handlers.dead_letters == []


@pytest.mark.parametrize(
    ("error", "age", "reason"),
    [
        (
            RequestRejected("the OTLP endpoint returned 401: no key"),
            0,
            "the OTLP endpoint returned 401: no key",
        ),
        (
            InvalidSecret("the secret otlp-headers is empty"),
            0,
            "the secret otlp-headers is empty. Correct it (parameter OtlpHeadersSecretName), then redrive this message.",
        ),
        (TransientError("no response"), MAX_AGE_SECONDS + 60, "no response"),
    ],
    ids=["rejected", "secret", "a day old"],
)
def test_a_trace_that_cannot_be_sent_goes_to_the_dead_letter_queue_with_the_reason(
    handlers: WiredHandlers, run: Run, error: Exception, age: float, reason: str
) -> None:
    handlers.send_spans.error = error
    body = message(run)

    assert handlers.deliver("export_trace", body, SentTimestamp=milliseconds_ago(age)) == NOTHING_FAILED
    assert handlers.dead_letters == [(ENVIRONMENT["TRACE_DEAD_LETTER_QUEUE_URL"], body, reason)]
    assert handlers.delays == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "body: "),
        ("[]", "body: "),
        ("{}", "detail: Field required"),
        ('{"detail": {}}', "detail.run_id: Field required"),
        ('{"detail": {"run_id": ""}}', "detail.run_id: "),
    ],
)
def test_a_message_without_a_runs_id_goes_to_the_dead_letter_queue(
    handlers: WiredHandlers, body: str, reason: str
) -> None:
    assert handlers.deliver("export_trace", body) == NOTHING_FAILED

    ((_, dead_letter, reason_given),) = handlers.dead_letters
    assert dead_letter == body
    assert reason in reason_given


def test_a_forged_event_has_the_trace_sent_of_what_is_recorded(handlers: WiredHandlers, run: Run) -> None:
    handlers.deliver("export_trace", message(run))
    handlers.deliver("export_trace", message(run, status="failed", assistant="mallory", usage=None))

    genuine, sent = handlers.send_spans.requests
    assert sent == genuine


def test_each_attempt_is_sent(handlers: WiredHandlers) -> None:
    run = handlers.repository.add_run(new_run())
    failed = handlers.repository.record_failure(run, FAILURE, USAGE, run.created_at)
    handlers.deliver("export_trace", message(failed))
    reopened = handlers.repository.reopen_run(failed, None)
    handlers.deliver("export_trace", message(failed))  # late, while the second attempt is at work
    handlers.deliver(
        "export_trace",
        message(handlers.repository.record_failure(reopened, FAILURE, USAGE, run.created_at)),
    )

    first, second = (spans_of(request)[0] for request in handlers.send_spans.requests)
    assert (first["attributes"]["upcall.run.attempt"], second["attributes"]["upcall.run.attempt"]) == (1, 2)
    assert first["traceId"] != second["traceId"]
