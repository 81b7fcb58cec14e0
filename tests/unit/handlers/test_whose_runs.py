"""Each caller sees its own runs alone, unless the stack has one tenant."""

import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from support.runs import Runs
from support.sample_events import sample

from local.lambda_runtime import FunctionRunner
from local.stack import LocalStack
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.caller import EVENTS
from upcall.domain.run import Run

USER = "arn:aws:iam::123456789012:user/"

Ask = Callable[..., tuple[int, dict[str, Any]]]
"""Ask a function as a user of that name; gives the status and the body."""


@pytest.fixture
def ask(laptop: LocalStack) -> Ask:
    return asking(laptop, "many")


def asking(laptop: LocalStack, tenancy: str) -> Ask:
    functions = {
        logical: replace(each, name=logical, environment={**each.environment, "TENANCY": tenancy})
        for logical, each in laptop.stack.functions.items()
    }
    runner = FunctionRunner(functions)

    def ask(function: str, event: str, user: str, run_id: str = "", **changes: Any) -> Any:
        asked = sample(event, **changes)
        asked["requestContext"]["authorizer"] = {"iam": {"userArn": f"{USER}{user}"}}
        if run_id:
            path = asked["rawPath"].replace(asked["pathParameters"]["run_id"], run_id)
            asked |= {"rawPath": path, "pathParameters": {"run_id": run_id}}
            asked["requestContext"]["http"]["path"] = path
        answer = json.loads(runner.invoke(function, json.dumps(asked)).payload)
        return answer["statusCode"], json.loads(answer["body"])

    return ask


def started(ask: Ask, user: str, key: str | None = None, **fields: Any) -> str:
    body = json.dumps({"prompt": "Go.", **fields})
    status, run = ask("StartRunFunction", "start_run", user, body=body, headers=headers(key))
    assert status == 202, run
    return str(run["run_id"])


def headers(key: str | None) -> dict[str, str]:
    return {"idempotency-key": key or uuid.uuid4().hex}


def test_the_caller_is_stored_with_the_run(ask: Ask, store: DynamoDBRunRepository) -> None:
    assert store.get_run(started(ask, "ann")).owner == f"{USER}ann"


@pytest.mark.parametrize(
    ("function", "event"),
    [("GetRunFunction", "get_run"), ("ListCallsFunction", "list_calls"), ("CancelRunFunction", "cancel_run")],
)
def test_the_run_of_another_is_not_there(ask: Ask, function: str, event: str) -> None:
    run_id = started(ask, "ann")

    status, problem = ask(function, event, "bob", run_id)
    assert (status, problem["detail"]) == (404, f"there is no run {run_id!r}")
    status, _ = ask(function, event, "ann", run_id)
    assert status != 404


def test_a_list_holds_the_callers_runs_alone(ask: Ask) -> None:
    ann, bob = f"ann-{uuid.uuid4()}", f"bob-{uuid.uuid4()}"
    hers, his = [started(ask, ann), started(ask, ann)], [started(ask, bob)]

    def listed(user: str) -> list[str]:
        _, found = ask("ListRunsFunction", "list_runs", user, queryStringParameters={})
        return [run["run_id"] for run in found["runs"]]

    assert listed(ann) == hers[::-1]
    assert listed(bob) == his


def test_the_run_of_another_is_not_continued(ask: Ask) -> None:
    run_id = started(ask, "ann")
    body = json.dumps({"prompt": "Go on.", "previous_run_id": run_id})

    status, problem = ask("StartRunFunction", "start_run", "bob", body=body, headers=headers(None))

    assert status == 400
    assert problem["errors"] == [{"field": "previous_run_id", "reason": f"there is no run {run_id!r}"}]


def test_the_same_key_of_two_callers_stands_for_two_runs(ask: Ask) -> None:
    key = uuid.uuid4().hex

    assert started(ask, "ann", key) == started(ask, "ann", key)
    assert started(ask, "ann", key) != started(ask, "bob", key)


def test_where_the_stack_has_one_tenant_every_caller_sees_every_run(laptop: LocalStack) -> None:
    ask = asking(laptop, "one")
    run_id = started(ask, "ann")

    status, run = ask("GetRunFunction", "get_run", "bob", run_id)
    _, found = ask("ListRunsFunction", "list_runs", "bob", queryStringParameters={"limit": "100"})

    assert (status, run["owner"]) == (200, f"{USER}ann")
    assert run_id in [each["run_id"] for each in found["runs"]]


def test_a_laptop_has_one_tenant(laptop: LocalStack, store: DynamoDBRunRepository) -> None:
    """Whoever fires an event there and sees the run in a list may ask for it, too."""
    http = Runs(laptop).http
    run = store.add_run(
        Run.new(
            owner=EVENTS,
            prompt="Go.",
            assistant="summarizer",
            model="m",
            run_api="responses",
            created_at=datetime.now(UTC),
        )
    )

    assert http.get(f"/runs/{run.run_id}").status_code == 200
    assert http.post(f"/runs/{run.run_id}/cancel").status_code == 200
