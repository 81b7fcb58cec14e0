import json
import threading
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from support.sample_events import Invoke, Recorded, sample

from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.upstream_run import Message


def shown(invoke: Invoke, run_id: str) -> tuple[int, dict[str, Any]]:
    event = sample("get_run", rawPath=f"/runs/{run_id}", pathParameters={"run_id": run_id})
    event["requestContext"]["http"]["path"] = event["rawPath"]
    response = invoke("GetRunFunction", event)
    return response["statusCode"], json.loads(response["body"])


def test_an_open_run_is_shown_without_a_message(invoke: Invoke, recorded: Recorded) -> None:
    run = recorded()
    status, body = shown(invoke, run.run_id)

    assert status == 200
    assert (body["run_id"], body["status"], body["prompt"]) == (run.run_id, "queued", "Go.")
    assert "message" not in body
    assert "handle" not in body


def test_a_completed_run_is_shown_with_its_message(
    invoke: Invoke, recorded: Recorded, store: DynamoDBRunRepository
) -> None:
    run = recorded()
    store.complete_run(run, Message(text="Done."), datetime.now(UTC))
    _, body = shown(invoke, run.run_id)

    assert (body["status"], body["message"]) == ("completed", "Done.")


def test_a_run_that_does_not_exist_is_a_problem(invoke: Invoke) -> None:
    status, problem = shown(invoke, sample("create_run")["run_id"])

    assert status == 404
    assert "there is no run" in problem["detail"]


def waited(invoke: Invoke, run_id: str, wait: str) -> tuple[float, dict[str, Any]]:
    event = sample("get_run", rawPath=f"/runs/{run_id}", queryStringParameters={"wait": wait})
    event["requestContext"]["http"]["path"] = event["rawPath"]
    start = time.monotonic()
    response = invoke("GetRunFunction", event)
    return time.monotonic() - start, json.loads(response["body"])


def test_whoever_waits_gets_the_run_as_soon_as_it_has_ended(
    invoke: Invoke, recorded: Recorded, store: DynamoDBRunRepository
) -> None:
    run = recorded()
    threading.Timer(0.3, lambda: store.complete_run(run, Message(text="Done."), datetime.now(UTC))).start()

    seconds, body = waited(invoke, run.run_id, "20")

    assert (body["status"], body["message"]) == ("completed", "Done.")
    assert seconds < 10


def test_whoever_waits_in_vain_gets_the_run_as_it_is(invoke: Invoke, recorded: Recorded) -> None:
    seconds, body = waited(invoke, recorded().run_id, "1")

    assert body["status"] == "queued"
    assert seconds >= 1


@pytest.mark.parametrize("wait", ["26", "-1", "long"])
def test_nobody_waits_longer_than_the_api_may(invoke: Invoke, recorded: Recorded, wait: str) -> None:
    _, body = waited(invoke, recorded().run_id, wait)

    assert body["status"] == 400
    assert [error["field"] for error in body["errors"]] == ["wait"]
