"""A run that ended without a message, tried again over the API."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from support.sample_events import Invoke, Recorded, sample

from local.openai_emulator import Hang
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.failure import Failure
from upcall.domain.run import Run
from upcall.domain.upstream_run import Message
from upcall.domain.usage import Usage
from upcall.use_cases.retry_run import MAX_ATTEMPTS

BROKEN = Failure(code="server_error", message="It broke.")


def retried(invoke: Invoke, run_id: str) -> tuple[int, dict[str, Any]]:
    event = sample("retry_run")
    path = event["rawPath"].replace(event["pathParameters"]["run_id"], run_id)
    event |= {"rawPath": path, "pathParameters": {"run_id": run_id}}
    event["requestContext"]["http"]["path"] = path
    answer = invoke("RetryRunFunction", event)
    return answer["statusCode"], json.loads(answer["body"])


def test_a_failed_run_is_queued_again(
    invoke: Invoke, recorded: Recorded, store: DynamoDBRunRepository
) -> None:
    run = recorded(Hang())
    store.record_failure(run, BROKEN, Usage(total_tokens=7), datetime.now(UTC))

    status, again = retried(invoke, run.run_id)

    assert (status, again["status"], again["attempt"]) == (202, "queued", 2)
    assert "failure" not in again
    assert "ended_at" not in again
    assert store.get_run(run.run_id).usage.total_tokens == 7


@pytest.mark.parametrize("status", ["queued", "completed"])
def test_a_run_that_is_open_or_completed_is_a_conflict_that_says_so(
    invoke: Invoke, recorded: Recorded, store: DynamoDBRunRepository, status: str
) -> None:
    run = recorded(Hang())
    if status == "completed":
        store.complete_run(run, Message(text="Done."), datetime.now(UTC))

    code, problem = retried(invoke, run.run_id)

    assert code == 409
    assert status in problem["detail"]


def test_a_run_that_called_tools_over_the_assistants_api_is_refused(
    invoke: Invoke, recorded: Recorded, store: DynamoDBRunRepository
) -> None:
    new = recorded(Hang())
    run = Run.new(
        owner=new.owner,
        prompt="Go.",
        assistant="summarizer",
        model="m",
        run_api="assistants",
        created_at=datetime.now(UTC),
    )
    store.add_run(run.model_copy(update={"round": 1}))
    store.record_failure(store.get_run(run.run_id), BROKEN, Usage(), datetime.now(UTC))

    code, problem = retried(invoke, run.run_id)

    assert code == 409
    assert "start a new run" in problem["detail"]


def test_there_is_an_end_to_trying(invoke: Invoke, recorded: Recorded, store: DynamoDBRunRepository) -> None:
    new = recorded(Hang())
    run = Run.new(
        owner=new.owner,
        prompt="Go.",
        assistant="summarizer",
        model="m",
        run_api="responses",
        created_at=datetime.now(UTC),
    )
    store.add_run(run.model_copy(update={"attempt": MAX_ATTEMPTS}))
    store.record_failure(store.get_run(run.run_id), BROKEN, Usage(), datetime.now(UTC))

    assert retried(invoke, run.run_id)[0] == 409


def test_two_who_try_at_once_try_once(recorded: Recorded, store: DynamoDBRunRepository) -> None:
    from upcall.domain.errors import RunNotRetryable

    run = recorded(Hang())
    ended = store.record_failure(run, BROKEN, Usage(), datetime.now(UTC))
    store.reopen_run(ended)

    with pytest.raises(RunNotRetryable, match="is being tried again already"):
        store.reopen_run(ended)


def test_a_run_that_is_not_there_is_not_found(invoke: Invoke) -> None:
    assert retried(invoke, "run_0")[0] == 404
