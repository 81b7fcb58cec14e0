import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from support.sample_events import Invoke, sample

from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.caller import ANYBODY
from upcall.domain.run import Run
from upcall.domain.run_request import RunRequest
from upcall.use_cases.start_run import _fingerprint


def test_a_request_is_accepted_with_the_runs_id_and_its_location(invoke: Invoke) -> None:
    response = invoke("StartRunFunction", sample("start_run"))
    accepted = json.loads(response["body"])

    assert response["statusCode"] == 202
    assert response["headers"]["Content-Type"] == "application/json"
    assert response["headers"]["Location"] == f"/runs/{accepted['run_id']}"
    assert accepted["status"] == "queued"


def test_the_record_holds_what_was_asked_and_the_defaults(
    invoke: Invoke, store: DynamoDBRunRepository
) -> None:
    response = invoke("StartRunFunction", sample("start_run"))
    run = store.get_run(json.loads(response["body"])["run_id"])

    assert run.prompt == "Summarise https://example.com"
    assert (run.assistant, run.model, run.run_api) == ("summarizer", "gpt-5.4-mini", "responses")


def started(invoke: Invoke, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    event = sample("start_run", body=json.dumps(body))
    response = invoke("StartRunFunction", {**event, "headers": {**event["headers"], **headers}})
    return {"status_code": response["statusCode"], **json.loads(response["body"])}


def test_limits_and_metadata_are_the_runs_own(invoke: Invoke, store: DynamoDBRunRepository) -> None:
    body = {"prompt": "Go.", "limits": {"rounds": 2}, "metadata": {"ticket": "4711"}}

    run = store.get_run(started(invoke, body)["run_id"])

    assert (run.limits.rounds, run.limits.seconds) == (2, 900)
    assert run.metadata == {"ticket": "4711"}


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("limits", {"rounds": 51}, "limits.rounds"),
        ("limits", {"seconds": 0}, "limits.seconds"),
        ("limits", {"hours": 1}, "limits.hours"),
        ("metadata", {"a": "x" * 513}, "metadata.a"),
        ("metadata", {str(n): "x" for n in range(17)}, "metadata"),
        ("metadata", {"a": 1}, "metadata.a"),
    ],
)
def test_limits_and_metadata_have_their_own_bounds(
    invoke: Invoke, field: str, value: object, named: str
) -> None:
    answer = started(invoke, {"prompt": "Go.", field: value})

    assert answer["status_code"] == 400
    assert [error["field"] for error in answer["errors"]] == [named]


def test_the_same_key_and_request_give_the_same_run(invoke: Invoke) -> None:
    key = {"idempotency-key": uuid.uuid4().hex}

    first, second = (started(invoke, {"prompt": "Go."}, **key) for _ in range(2))

    assert (first["status_code"], second["status_code"]) == (202, 202)
    assert first["run_id"] == second["run_id"]
    assert started(invoke, {"prompt": "Go."}, **{"idempotency-key": "another"})["run_id"] != first["run_id"]


def test_a_key_that_stands_for_another_request_is_refused(invoke: Invoke) -> None:
    key = {"idempotency-key": uuid.uuid4().hex}
    started(invoke, {"prompt": "Go."}, **key)

    refused = started(invoke, {"prompt": "Stop."}, **key)

    assert refused["status_code"] == 422
    assert refused["detail"] == "this idempotency key stands for another request"


def test_a_hundred_at_once_with_one_key_give_one_run(invoke: Invoke) -> None:
    key = {"idempotency-key": uuid.uuid4().hex}
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda _: started(invoke, {"prompt": "Go."}, **key), range(100)))

    assert {answer["status_code"] for answer in answers} == {202}
    assert len({answer["run_id"] for answer in answers}) == 1


def test_a_body_beyond_all_measure_is_refused_before_it_is_read(invoke: Invoke) -> None:
    answer = started(invoke, {"prompt": "x" * 1_000_000})

    assert answer["status_code"] == 413
    assert "larger than 1,000,000 bytes" in answer["detail"]


def test_a_start_that_was_interrupted_is_gone_on_with(invoke: Invoke, store: DynamoDBRunRepository) -> None:
    """The first sender died after it had claimed the key, and before there was a record."""
    key, request = uuid.uuid4().hex, RunRequest(prompt="Go.")
    dead = Run.new(
        owner=ANYBODY,
        prompt="Go.",
        assistant="summarizer",
        model="m",
        run_api="responses",
        created_at=datetime.now(UTC),
    )
    store.claim_idempotency_key(key, dead, _fingerprint(request))

    answer = started(invoke, {"prompt": "Go."}, **{"idempotency-key": key})

    assert (answer["status_code"], answer["run_id"]) == (202, dead.run_id)
    assert store.get_run(dead.run_id).prompt == "Go."
