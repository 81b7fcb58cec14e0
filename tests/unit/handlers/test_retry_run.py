"""A run that ended without a message, tried again over the API."""

import json
from typing import Any

import pytest
from support.events import Invoke, Recorded, sample

from local.emulator import Hang
from upcall.models import Failure, Message, Usage
from upcall.retry import MAX_ATTEMPTS
from upcall.run import Run
from upcall.store import RunStore

BROKEN = Failure(code="server_error", message="It broke.")


def retried(invoke: Invoke, run_id: str) -> tuple[int, dict[str, Any]]:
    event = sample("retry_run")
    path = event["rawPath"].replace(event["pathParameters"]["run_id"], run_id)
    event |= {"rawPath": path, "pathParameters": {"run_id": run_id}}
    event["requestContext"]["http"]["path"] = path
    answer = invoke("RetryRunFunction", event)
    return answer["statusCode"], json.loads(answer["body"])


def test_a_failed_run_is_queued_again(invoke: Invoke, recorded: Recorded, store: RunStore) -> None:
    run = recorded(Hang())
    store.failed(run, BROKEN, Usage(total_tokens=7))

    status, again = retried(invoke, run.run_id)

    assert (status, again["status"], again["attempt"]) == (202, "queued", 2)
    assert "failure" not in again
    assert "ended_at" not in again
    assert store.get(run.run_id).usage.total_tokens == 7


@pytest.mark.parametrize("status", ["queued", "completed"])
def test_a_run_that_is_open_or_completed_is_a_conflict_that_says_so(
    invoke: Invoke, recorded: Recorded, store: RunStore, status: str
) -> None:
    run = recorded(Hang())
    if status == "completed":
        store.completed(run, Message(text="Done."))

    code, problem = retried(invoke, run.run_id)

    assert code == 409
    assert status in problem["detail"]


def test_a_run_that_called_tools_over_the_assistants_api_is_refused(
    invoke: Invoke, recorded: Recorded, store: RunStore
) -> None:
    new = recorded(Hang())
    run = Run.new(owner=new.owner, prompt="Go.", assistant="summarizer", model="m", run_api="assistants")
    store.add(run.model_copy(update={"round": 1}))
    store.failed(store.get(run.run_id), BROKEN, Usage())

    code, problem = retried(invoke, run.run_id)

    assert code == 409
    assert "start a new run" in problem["detail"]


def test_there_is_an_end_to_trying(invoke: Invoke, recorded: Recorded, store: RunStore) -> None:
    new = recorded(Hang())
    run = Run.new(owner=new.owner, prompt="Go.", assistant="summarizer", model="m", run_api="responses")
    store.add(run.model_copy(update={"attempt": MAX_ATTEMPTS}))
    store.failed(store.get(run.run_id), BROKEN, Usage())

    assert retried(invoke, run.run_id)[0] == 409


def test_two_who_try_at_once_try_once(recorded: Recorded, store: RunStore) -> None:
    from upcall.errors import CannotRetry

    run = recorded(Hang())
    ended = store.failed(run, BROKEN, Usage())
    store.reopened(ended)

    with pytest.raises(CannotRetry, match="is being tried again already"):
        store.reopened(ended)


def test_a_run_that_is_not_there_is_not_found(invoke: Invoke) -> None:
    assert retried(invoke, "run_0")[0] == 404
