import json
from collections.abc import Callable

import pytest
from support.fakes.clock import START
from support.fakes.run_repository import InMemoryRunRepository
from support.fakes.senders import FakeWebhookSender
from support.open_calls import approval, open_call
from support.run_records import FAILURE, UPSTREAM_RUN, USAGE, new_run

from upcall.domain.chat_message import WebhookFormat
from upcall.domain.errors import OutcomeUnknown, ToolError, TransientError
from upcall.domain.failure import Failure
from upcall.domain.run import Run
from upcall.domain.upstream_run import Message
from upcall.use_cases.deliver_callback import deliver_callback, notify_approvers

URL = "https://example.com/hook?for=me"

Deliver = Callable[..., None]
"""Deliver the final event of a run, as its record has it now, or that a call of it waits."""


@pytest.fixture
def send_webhook() -> FakeWebhookSender:
    return FakeWebhookSender()


@pytest.fixture
def deliver(repository: InMemoryRunRepository, send_webhook: FakeWebhookSender) -> Deliver:
    def call(run: Run, call_id: str | None = None) -> None:
        deliver_callback(run.run_id, call_id, repository=repository, send_webhook=send_webhook)

    return call


@pytest.fixture
def completed_run(repository: InMemoryRunRepository) -> Run:
    """A completed run with a callback URL."""
    run = repository.add_run(new_run(callback_url=URL, metadata={"a": "b"}))
    return repository.complete_run(run, Message(text="Done.", usage=USAGE), START)


def test_the_final_event_is_posted_to_the_runs_callback_url(
    deliver: Deliver, completed_run: Run, send_webhook: FakeWebhookSender
) -> None:
    deliver(completed_run)

    ((url, message_id, content),) = send_webhook.messages
    assert (url, message_id) == (URL, f"msg_{completed_run.run_id}")
    assert (content["type"], content["timestamp"]) == ("run.completed", START)
    data = content["data"]
    assert (data["run_id"], data["status"], data["metadata"]) == (
        completed_run.run_id,
        "completed",
        {"a": "b"},
    )
    assert (data["message_excerpt"], data["message_characters"]) == ("Done.", 5)


def test_the_data_is_json_without_empty_fields_and_without_those_for_the_event_bus(
    deliver: Deliver, completed_run: Run, send_webhook: FakeWebhookSender
) -> None:
    deliver(completed_run)

    ((_, _, content),) = send_webhook.messages
    assert json.loads(json.dumps(content["data"])) == content["data"]
    assert content["data"].keys().isdisjoint({"event", "has_callback", "failure"})


def test_a_failed_run_is_posted_with_its_failure(
    deliver: Deliver, repository: InMemoryRunRepository, send_webhook: FakeWebhookSender
) -> None:
    run = repository.add_run(new_run(callback_url=URL))
    deliver(repository.record_failure(run, FAILURE, USAGE, START))

    ((_, _, content),) = send_webhook.messages
    assert content["type"] == "run.failed"
    assert content["data"]["failure"] == FAILURE.model_dump()
    assert "message_excerpt" not in content["data"]


def test_the_same_event_has_the_same_message_id_again(
    deliver: Deliver, completed_run: Run, send_webhook: FakeWebhookSender
) -> None:
    deliver(completed_run)
    deliver(completed_run)

    first, second = send_webhook.messages
    assert first == second


@pytest.mark.parametrize(
    "error", [ToolError("404: Not found"), OutcomeUnknown("no response"), TransientError("no secret yet")]
)
def test_an_event_that_did_not_arrive_is_a_transient_error_with_the_reason(
    deliver: Deliver, completed_run: Run, send_webhook: FakeWebhookSender, error: Exception
) -> None:
    send_webhook.error = error

    with pytest.raises(TransientError, match=str(error)):
        deliver(completed_run)


@pytest.mark.parametrize("exists", [True, False], ids=["without a callback URL", "that was deleted"])
def test_nothing_is_posted_for_a_run(
    deliver: Deliver, repository: InMemoryRunRepository, send_webhook: FakeWebhookSender, exists: bool
) -> None:
    run = repository.add_run(new_run(callback_url=None if exists else URL))
    ended = repository.record_failure(run, FAILURE, USAGE, START)
    if not exists:
        repository.delete_run(run.run_id)

    deliver(ended)

    assert send_webhook.messages == []


@pytest.mark.parametrize("is_created", [True, False], ids=["in progress", "queued"])
def test_nothing_is_posted_for_a_run_that_has_not_ended(
    deliver: Deliver, repository: InMemoryRunRepository, send_webhook: FakeWebhookSender, is_created: bool
) -> None:
    """Whoever may put events on the bus could publish its end."""
    run = repository.add_run(new_run(callback_url=URL))
    if is_created:
        repository.record_creation(run, UPSTREAM_RUN, "polled")

    deliver(run)

    assert send_webhook.messages == []


def test_what_is_posted_is_what_the_record_says_and_not_an_older_copy_of_the_run(
    deliver: Deliver, completed_run: Run, send_webhook: FakeWebhookSender
) -> None:
    forged = {"status": "failed", "failure": FAILURE, "callback_url": "https://attacker.test/", "owner": "x"}

    deliver(completed_run.model_copy(update=forged))

    ((url, _, content),) = send_webhook.messages
    assert (url, content["type"], content["data"]["owner"]) == (URL, "run.completed", completed_run.owner)


def test_a_second_attempt_is_posted_under_another_message_id(
    deliver: Deliver, repository: InMemoryRunRepository, send_webhook: FakeWebhookSender
) -> None:
    run = repository.add_run(new_run(callback_url=URL))
    failed = repository.record_failure(run, FAILURE, USAGE, START)
    deliver(failed)
    reopened = repository.reopen_run(failed, None)
    deliver(failed)  # a late copy of the first event, while the second attempt is at work
    assert len(send_webhook.messages) == 1
    repository.complete_run(reopened, Message(text="Done."), START)
    deliver(failed)

    ids_and_types = [(message_id, content["type"]) for _, message_id, content in send_webhook.messages]
    assert ids_and_types == [(f"msg_{run.run_id}", "run.failed"), (f"msg_{run.run_id}-2", "run.completed")]


def test_an_incomplete_run_is_posted_with_the_text_that_it_has(
    deliver: Deliver, repository: InMemoryRunRepository, send_webhook: FakeWebhookSender
) -> None:
    run = repository.add_run(new_run(callback_url=URL))
    failure = Failure(status="incomplete", code="max_output_tokens", message="It was too long.")
    deliver(repository.record_failure(run, failure, USAGE, START, "Once upon a"))

    ((_, _, content),) = send_webhook.messages
    assert content["type"] == "run.incomplete"
    assert content["data"]["failure"] == failure.model_dump()
    assert content["data"]["message_excerpt"] == "Once upon a"


@pytest.mark.parametrize(
    ("waits_for", "kind"), [("approval", "run.approval_requested"), ("output", "run.output_requested")]
)
def test_a_call_that_waits_is_posted_without_its_arguments(
    deliver: Deliver,
    repository: InMemoryRunRepository,
    send_webhook: FakeWebhookSender,
    waits_for: str,
    kind: str,
) -> None:
    run = repository.add_run(new_run(callback_url=URL, metadata={"a": "b"}))
    repository.open_call(run, open_call(waits_for=waits_for))

    deliver(run, "1-1")

    ((url, message_id, content),) = send_webhook.messages
    assert (url, message_id) == (URL, f"msg_{run.run_id}_1-1")
    assert (content["type"], content["timestamp"]) == (kind, START)
    assert content["data"] == {
        "run_id": run.run_id,
        "call": "1-1",
        "tool": "refund",
        "owner": run.owner,
        "assistant": "summarizer",
        "metadata": {"a": "b"},
        "since": "2026-01-02T03:04:05Z",
        "until": "2026-01-05T03:04:05Z",
    }


@pytest.mark.parametrize("change", ["answered", "ended", "never opened"])
def test_nothing_is_posted_of_a_call_that_waits_no_longer(
    deliver: Deliver, repository: InMemoryRunRepository, send_webhook: FakeWebhookSender, change: str
) -> None:
    run = repository.add_run(new_run(callback_url=URL))
    call = repository.open_call(run, open_call())
    if change == "answered":
        repository.answer_call(run, call, approval())
    elif change == "ended":
        repository.record_failure(run, FAILURE, USAGE, START)

    deliver(run, "1-2" if change == "never opened" else "1-1")

    assert send_webhook.messages == []


@pytest.fixture
def notify(repository: InMemoryRunRepository, send_webhook: FakeWebhookSender) -> Callable[..., None]:
    """Tell approvers that a call of a run waits."""

    def call(run: Run, webhook_format: WebhookFormat = "standard") -> None:
        notify_approvers(
            run.run_id,
            "1-1",
            webhook_url="https://chat.example.com/hook",
            webhook_format=webhook_format,
            approval_url="https://approvals.example.com/{run_id}/{call}",
            repository=repository,
            send_webhook=send_webhook,
        )

    return call


@pytest.mark.parametrize("webhook_format", ["standard", "slack", "teams"])
def test_approvers_are_told_what_waits_and_where_to_decide_but_no_arguments(
    notify: Callable[..., None],
    repository: InMemoryRunRepository,
    send_webhook: FakeWebhookSender,
    webhook_format: WebhookFormat,
) -> None:
    run = repository.add_run(new_run())
    repository.open_call(run, open_call())

    notify(run, webhook_format)

    ((url, message_id, content),) = send_webhook.messages
    text = json.dumps(content, default=str)
    assert (url, message_id) == ("https://chat.example.com/hook", f"msg_{run.run_id}_1-1")
    assert f"https://approvals.example.com/{run.run_id}/1-1" in text
    assert "refund" in text
    assert "2026-01-05" in text
    assert "4711" not in text


@pytest.mark.parametrize("waits_for", ["output", None])
def test_approvers_are_not_told_of_other_calls(
    notify: Callable[..., None],
    repository: InMemoryRunRepository,
    send_webhook: FakeWebhookSender,
    waits_for: str | None,
) -> None:
    run = repository.add_run(new_run())
    if waits_for:
        repository.open_call(run, open_call(waits_for=waits_for))

    notify(run)

    assert send_webhook.messages == []


def test_a_message_to_approvers_that_did_not_arrive_is_sent_again(
    notify: Callable[..., None], repository: InMemoryRunRepository, send_webhook: FakeWebhookSender
) -> None:
    run = repository.add_run(new_run())
    repository.open_call(run, open_call())
    send_webhook.error = ToolError("no connection")

    with pytest.raises(TransientError, match="no connection"):
        notify(run)
