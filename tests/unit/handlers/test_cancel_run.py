import json
from datetime import UTC, datetime
from typing import Any

import pytest
from support.sample_events import (
    FunctionError,
    Invoke,
    Recorded,
    sample,
)

from local.openai_emulator import Hang, Say
from local.stack import LocalStack
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.upstream_run import Message


def cancelled(invoke: Invoke, run_id: str) -> tuple[int, dict[str, Any]]:
    path = f"/runs/{run_id}/cancel"
    event = sample("cancel_run", rawPath=path, pathParameters={"run_id": run_id})
    event["requestContext"]["http"]["path"] = path
    response = invoke("CancelRunFunction", event)
    return response["statusCode"], json.loads(response["body"])


def test_a_run_is_cancelled_in_the_table_and_upstream(
    invoke: Invoke, created: Recorded, store: DynamoDBRunRepository, laptop: LocalStack
) -> None:
    run = created(Hang())
    status, shown = cancelled(invoke, run.run_id)

    assert (status, shown["status"]) == (200, "cancelled")
    assert shown["failure"]["message"] == "Cancelled on request."
    assert store.get_run(run.run_id).status == "cancelled"
    assert [turn.phase for turn in laptop.emulator.brain.begun[run.model]] == ["cancelled"]


def test_a_run_that_waits_for_its_creation_is_never_created(
    invoke: Invoke, recorded: Recorded, store: DynamoDBRunRepository, laptop: LocalStack
) -> None:
    run = recorded(Hang())
    assert cancelled(invoke, run.run_id)[0] == 200

    with pytest.raises(FunctionError) as caught:
        invoke("CreateRunFunction", sample("create_run", run_id=run.run_id))
    assert caught.value.kind == "RunAlreadyEnded"
    assert run.model not in laptop.emulator.brain.begun
    assert store.get_run(run.run_id).handle is None


def test_a_run_that_has_ended_is_a_conflict_that_says_so(
    invoke: Invoke, created: Recorded, store: DynamoDBRunRepository
) -> None:
    run = created(Say("Done."))
    store.complete_run(run, Message(text="Done."), datetime.now(UTC))
    status, problem = cancelled(invoke, run.run_id)

    assert status == 409
    assert problem["detail"] == f"run {run.run_id} has ended already: it is completed"
    assert cancelled(invoke, run.run_id)[0] == 409


def test_a_run_that_does_not_exist_is_not_found(invoke: Invoke) -> None:
    assert cancelled(invoke, "run_x")[0] == 404
