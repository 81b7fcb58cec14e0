"""Runs that wait for OpenAI's webhooks. While the model works, nothing of ours runs."""

from collections.abc import Iterator
from datetime import UTC, datetime

import boto3
import httpx
import pytest
from support.fast_stack import WEBHOOK_SECRET_NAME, FastClock, pushed_runs
from support.run_records import new_run
from support.runs import Runs
from support.task_timeouts import shorten_task_timeouts
from support.waiting import wait_until

from cli.execution_history import parse_history
from local.openai_emulator import Call, CallTools, Say
from local.openai_emulator.webhook_delivery import WebhookFaults
from local.stack import LocalStack
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.web.standard_webhooks import signature_headers

CALL = CallTools((Call("none", "{}"),), after_seconds=0.3)
DONE = Say("Done.", after_seconds=0.3)
FORGED_SECRET = "whsec_YSBmb3JnZWQgc2VjcmV0IG9mIHNvbWVib2R5IGVsc2U="  # noqa: S105  # of nobody


@pytest.fixture(scope="module", autouse=True)
def _pushed(local_stack: LocalStack) -> Iterator[None]:
    """Let runs wait for webhooks."""
    with pushed_runs(local_stack):
        yield


@pytest.fixture
def faults(local_stack: LocalStack) -> Iterator[list[WebhookFaults]]:
    """The faults of deliveries: a test puts its own into the list's place."""
    deliveries = local_stack.emulator.webhooks.deliveries
    before = deliveries.faults
    yield [before]
    deliveries.faults = before


@pytest.mark.parametrize("api", ["responses", "agents"])
def test_a_run_is_pushed_from_its_creation_to_its_message(runs: Runs, api: str) -> None:
    ended = runs.run_script(CALL, DONE, run_api=api)

    assert (ended.run["status"], ended.run["message"]) == ("completed", "Done.")
    assert ended.run["updates"] == "pushed"
    assert runs.entered_states(ended.run["run_id"]) == [
        "Create run",
        "Run status?",
        "Call tools",
        "Call tool",
        "Wait for answer",
        "Approved?",
        "Answered",
        "Submit tool outputs",
        "Run status?",
        "Save message",
    ]


def test_no_function_runs_while_the_model_works(runs: Runs) -> None:
    ended = runs.run_script(Say("Done.", after_seconds=2))

    events = runs.history(ended.run["run_id"])
    scheduled, submitted, succeeded = (
        next(each["timestamp"] for each in events if each["type"] == f"Task{kind}")
        for kind in ("Scheduled", "Submitted", "Succeeded")
    )
    assert (submitted - scheduled).total_seconds() < 1.5
    assert (succeeded - submitted).total_seconds() > 0.5


def test_a_run_of_an_api_without_webhooks_is_polled(runs: Runs) -> None:
    ended = runs.run_script(CALL, DONE, run_api="assistants")

    assert (ended.run["status"], ended.run["updates"]) == ("completed", "polled")


def test_a_run_with_little_time_is_polled_to_its_limit(runs: Runs) -> None:
    ended = runs.run_script(DONE, limits={"seconds": 100})

    assert (ended.run["status"], ended.run["updates"]) == ("completed", "pushed")


@pytest.mark.parametrize("api", ["responses", "agents"])
def test_late_doubled_reordered_and_forged_webhooks_end_each_run_once(
    runs: Runs,
    local_stack: LocalStack,
    repository: DynamoDBRunRepository,
    faults: list[WebhookFaults],
    api: str,
) -> None:
    local_stack.emulator.webhooks.deliveries.faults = WebhookFaults(
        delay_seconds=(0, 0.5), duplicated=0.5, reordered=0.3, forged=0.3, seed=7
    )
    started = []
    for _ in range(20):
        model = local_stack.emulator.script(CALL, DONE)
        run = new_run(model=model, run_api=api, created_at=datetime.now(UTC))
        repository.add_run(run)
        runs.start_execution(run.run_id)
        started.append(run)

    for run in started:
        assert runs.wait_for_execution(run.run_id)["status"] == "SUCCEEDED"
        ended = repository.get_run(run.run_id)
        assert (ended.status, ended.round, ended.tool_calls) == ("completed", 1, 1)
        assert len(local_stack.emulator.models.started_turns[run.model]) == 2


def test_after_a_lost_webhook_a_retry_looks_at_the_run(
    runs: Runs, local_stack: LocalStack, monkeypatch: pytest.MonkeyPatch, faults: list[WebhookFaults]
) -> None:
    """Here the time-out of the task comes after a second."""
    local_stack.emulator.webhooks.deliveries.faults = WebhookFaults(lost=1)
    shorten_task_timeouts(monkeypatch, lambda seconds: min(seconds, 1))

    ended = runs.run_script(Say("Done.", after_seconds=0.5))

    assert (ended.run["status"], ended.run["updates"]) == ("completed", "pushed")


def test_half_an_hour_of_thinking_costs_few_transitions_and_no_function_that_waits(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the time-outs of the tasks, and the model, are 120 times as fast. The webhook comes at the end."""
    shorten_task_timeouts(monkeypatch, lambda seconds: seconds / 120)
    slept: list[float] = []
    monkeypatch.setattr(FastClock, "sleep", lambda _, seconds: slept.append(seconds))

    ended = runs.run_script(Say("Done.", after_seconds=1800 / 120), limits={"seconds": 7200})

    run_id = ended.run["run_id"]
    assert (ended.run["status"], ended.run["updates"]) == ("completed", "pushed")
    assert runs.entered_states(run_id).count("Wait for change") >= 5
    assert parse_history(runs.history(run_id)).transitions < 20
    assert slept == []


def test_a_forged_message_is_refused(local_stack: LocalStack) -> None:
    body = b'{"type": "response.completed", "data": {"id": "resp_000000000001"}}'
    headers = signature_headers(FORGED_SECRET, "evt_1", body)

    response = httpx.post(f"{local_stack.endpoints.api}/webhooks/openai", content=body, headers=headers)

    assert (response.status_code, response.json()["title"]) == (401, "Unauthorized")


def test_a_message_about_an_unknown_run_is_accepted_and_does_nothing(local_stack: LocalStack) -> None:
    secret = boto3.client("secretsmanager").get_secret_value(SecretId=WEBHOOK_SECRET_NAME)["SecretString"]
    body = b'{"type": "response.completed", "data": {"id": "resp_of_another_stack"}}'
    headers = signature_headers(secret, "evt_unknown", body)

    response = httpx.post(f"{local_stack.endpoints.api}/webhooks/openai", content=body, headers=headers)

    assert response.status_code == 200


def test_a_cancelled_run_is_not_taken_up_again(
    runs: Runs, local_stack: LocalStack, repository: DynamoDBRunRepository
) -> None:
    model = local_stack.emulator.script(Say("Too late.", after_seconds=2))
    run_id = runs.post({"prompt": "Go.", "model": model}).json()["run_id"]
    wait_until(lambda: local_stack.emulator.models.started_turns.get(model), "the model's turn")
    wait_until(lambda: repository.get_run(run_id).upstream_run, "the record of the creation")

    assert runs.http.post(f"/runs/{run_id}/cancel").status_code == 200

    assert runs.wait_for_execution(run_id)["status"] in ("ABORTED", "FAILED")
    assert repository.get_run(run_id).status == "cancelled"
