import json

import pytest
from support.sample_events import sample_event, sample_message
from support.wired_handlers import ENVIRONMENT, NOTHING_FAILED, WiredHandlers

from upcall.domain.caller import EVENTS
from upcall.domain.run import Run


def started_runs(handlers: WiredHandlers) -> list[Run]:
    """All runs, by prompt."""
    page = handlers.repository.list_runs(owner=None, status=None, limit=100)
    runs = [handlers.repository.get_run(run.run_id) for run in page.runs]
    return sorted(runs, key=lambda run: str(run.prompt))


def test_the_sample_starts_a_run(handlers: WiredHandlers) -> None:
    assert handlers.invoke("start_run_from_event", sample_event("start_run_from_event")) == NOTHING_FAILED

    (run,) = started_runs(handlers)
    assert (run.prompt, run.owner) == ("Summarise https://example.com", EVENTS)
    assert (run.model, run.run_api) == ("gpt-5.4-mini", "responses")
    assert list(handlers.workflow.executions) == [run.run_id]


def test_each_message_of_a_batch_starts_its_run(handlers: WiredHandlers) -> None:
    bodies = [json.dumps({"prompt": f"Say {number}."}) for number in range(3)]

    assert handlers.deliver("start_run_from_event", *bodies) == NOTHING_FAILED
    assert [run.prompt for run in started_runs(handlers)] == ["Say 0.", "Say 1.", "Say 2."]


def test_the_same_message_twice_starts_one_run(handlers: WiredHandlers) -> None:
    for _ in range(2):
        handlers.deliver("start_run_from_event", json.dumps({"prompt": "Go."}))

    assert len(started_runs(handlers)) == 1


@pytest.mark.parametrize("kind", ["run_requested", "object_created", "digest_requested"])
def test_the_same_event_in_two_messages_starts_one_run(handlers: WiredHandlers, kind: str) -> None:
    body = json.dumps(sample_message(kind))

    assert handlers.deliver("start_run_from_event", body, body) == NOTHING_FAILED
    assert len(started_runs(handlers)) == 1


INVALID_MESSAGES = {
    " ": "body: is not JSON",
    "[]": "body: should be an object",
    '{"prompt": "x", "assistant": "nobody"}': "assistant: there is no assistant 'nobody'",
    '{"prompt": "x", "callback_url": "http://10.0.0.1/"}': "callback_url: 10.0.0.1 is not a public address",
    '{"prompt": "x", "previous_run_id": "run_x"}': "previous_run_id: there is no run 'run_x'",
    '{"detail-type": "Birthday"}': "detail-type: should be one of Run Requested, ",
}


@pytest.mark.parametrize(("body", "reason"), INVALID_MESSAGES.items(), ids=[*INVALID_MESSAGES])
def test_a_message_that_asks_for_no_run_goes_to_the_dead_letter_queue_with_the_reason(
    handlers: WiredHandlers, body: str, reason: str
) -> None:
    assert handlers.deliver("start_run_from_event", body) == NOTHING_FAILED

    ((queue, dead_letter, reason_given),) = handlers.dead_letters
    assert (queue, dead_letter) == (ENVIRONMENT["DEAD_LETTER_QUEUE_URL"], body)
    assert reason in reason_given
    assert started_runs(handlers) == []


def test_a_message_whose_id_stands_for_another_request_goes_to_the_dead_letter_queue(
    handlers: WiredHandlers,
) -> None:
    for prompt in ("Go.", "Stop."):
        result = handlers.deliver("start_run_from_event", json.dumps({"prompt": prompt}))

    assert result == NOTHING_FAILED
    assert [reason for _, _, reason in handlers.dead_letters] == [
        "this idempotency key stands for another request"
    ]


def test_messages_whose_runs_cannot_be_started_now_return_to_the_queue_and_start_them_later(
    handlers: WiredHandlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(_: Run) -> None:
        raise ConnectionError("Step Functions is not available")

    bodies = [json.dumps({"prompt": f"Say {number}."}) for number in range(2)]
    with monkeypatch.context() as patches:
        patches.setattr(handlers.workflow, "start_execution", unavailable)
        result = handlers.deliver("start_run_from_event", *bodies)
    assert result == {"batchItemFailures": [{"itemIdentifier": "m0"}, {"itemIdentifier": "m1"}]}
    recorded = started_runs(handlers)

    assert handlers.deliver("start_run_from_event", *bodies) == NOTHING_FAILED

    assert started_runs(handlers) == recorded, "the records of the first try are used"
    assert set(handlers.workflow.executions) == {run.run_id for run in recorded}


def test_one_message_that_cannot_be_handled_now_does_not_hold_back_the_others(
    handlers: WiredHandlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_execution = handlers.workflow.start_execution

    def fail_for_one(run: Run) -> None:
        if run.prompt == "Say 1.":
            raise ConnectionError("Step Functions is not available")
        start_execution(run)

    monkeypatch.setattr(handlers.workflow, "start_execution", fail_for_one)
    bodies = [json.dumps({"prompt": f"Say {number}."}) for number in range(2)]

    result = handlers.deliver("start_run_from_event", "not JSON", *bodies)

    assert result == {"batchItemFailures": [{"itemIdentifier": "m2"}]}
    assert len(handlers.dead_letters) == len(handlers.workflow.executions) == 1
