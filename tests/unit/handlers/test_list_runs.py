"""GET /runs: newest first, in parts that lead from one to the next."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from support.sample_events import Invoke, sample

from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.caller import ANYBODY
from upcall.domain.failure import Failure
from upcall.domain.run import Run
from upcall.domain.usage import Usage


def listed(invoke: Invoke, **query: str) -> dict[str, Any]:
    response = invoke("ListRunsFunction", sample("list_runs", queryStringParameters=query))
    assert response["statusCode"] == 200, response["body"]
    found: dict[str, Any] = json.loads(response["body"])
    return found


def followed(invoke: Invoke, **query: str) -> list[str]:
    """The ids of all runs, part by part."""
    found, cursor = [], None
    while True:
        part = listed(invoke, **query, **({"cursor": cursor} if cursor else {}))
        found += [run["run_id"] for run in part["runs"]]
        if (cursor := part.get("next_cursor")) is None:
            return found


def expired(store: DynamoDBRunRepository, count: int) -> list[str]:
    """Runs that have ended in a way that no other test's do, newest first."""
    made = []
    for number in range(count):
        run = Run.new(
            owner=ANYBODY,
            prompt=f"Number {number}.",
            assistant="summarizer",
            model="m",
            run_api="responses",
            created_at=datetime.now(UTC),
        )
        store.add_run(run)
        store.record_failure(
            run, Failure(status="incomplete", code="x", message="x"), Usage(), datetime.now(UTC)
        )
        made.append(run.run_id)
    return made[::-1]


def test_parts_lead_through_all_runs_newest_first(invoke: Invoke, store: DynamoDBRunRepository) -> None:
    made = expired(store, 5)

    found = followed(invoke, status="incomplete", limit="2")

    assert [run_id for run_id in found if run_id in made] == made
    assert len(listed(invoke, status="incomplete", limit="2")["runs"]) == 2


def test_a_list_without_a_status_holds_runs_of_all(invoke: Invoke, store: DynamoDBRunRepository) -> None:
    (made,) = expired(store, 1)

    assert made in followed(invoke, limit="100")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"status": "done"}, "status"),
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"cursor": "run_x"}, "cursor"),
        ({"cursor": "run_ffffffffffff"}, "cursor"),
    ],
)
def test_what_cannot_be_taken_is_named(invoke: Invoke, query: dict[str, str], field: str) -> None:
    response = invoke("ListRunsFunction", sample("list_runs", queryStringParameters=query))

    assert response["statusCode"] == 400
    assert [error["field"] for error in json.loads(response["body"])["errors"]] == [field]


def test_the_sample_asks_for_completed_runs(invoke: Invoke) -> None:
    assert invoke("ListRunsFunction", sample("list_runs"))["statusCode"] == 200


def test_a_cursor_of_the_future_is_one_of_now(invoke: Invoke, store: DynamoDBRunRepository) -> None:
    (made,) = expired(store, 1)

    assert made in [
        run["run_id"] for run in listed(invoke, status="incomplete", cursor="run_0fffffffffff")["runs"]
    ]
