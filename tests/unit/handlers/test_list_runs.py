import json
from datetime import timedelta

import pytest
from support.fakes.clock import START
from support.run_records import FAILURE, new_run
from support.sample_events import sample_event
from support.wired_handlers import WiredHandlers

from upcall.domain.usage import NO_USAGE


def add_failed_runs(handlers: WiredHandlers, count: int) -> list[str]:
    """The ids of so many failed runs, newest first."""
    ids = []
    for number in range(count):
        run = handlers.repository.add_run(new_run(created_at=START + timedelta(seconds=number)))
        handlers.repository.record_failure(run, FAILURE, NO_USAGE, START)
        ids.append(run.run_id)
    return ids[::-1]


def list_all_pages(handlers: WiredHandlers, **query: str) -> list[list[str]]:
    """The ids of the runs of each page."""
    pages: list[list[str]] = []
    while True:
        response = handlers.request("list_runs", query=query)
        assert response.status == 200, response.json
        pages.append([run["run_id"] for run in response.json["runs"]])
        if "next_cursor" not in response.json:
            return pages
        query["cursor"] = response.json["next_cursor"]


def test_pages_lead_through_all_runs_newest_first(handlers: WiredHandlers) -> None:
    ids = add_failed_runs(handlers, 5)

    pages = list_all_pages(handlers, status="failed", limit="2")

    assert pages == [ids[:2], ids[2:4], ids[4:]]


def test_a_list_without_a_status_holds_runs_of_all(handlers: WiredHandlers) -> None:
    (failed,) = add_failed_runs(handlers, 1)
    queued = handlers.repository.add_run(new_run(created_at=START - timedelta(seconds=1)))

    assert list_all_pages(handlers, limit="100") == [[failed, queued.run_id]]


def test_the_sample_requests_completed_runs(handlers: WiredHandlers) -> None:
    add_failed_runs(handlers, 1)

    response = handlers.request("list_runs")

    assert (response.status, response.json) == (200, {"runs": []})


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"status": "done"}, "status"),
        ({"limit": "0"}, "limit"),
        ({"owner": ""}, "owner"),
        ({"owner": "x" * 257}, "owner"),
        ({"limit": "101"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"cursor": "run_x"}, "cursor"),
        ({"cursor": "run_ffffffffffff"}, "cursor"),
        ({"cursor": ""}, "cursor"),
    ],
)
def test_a_parameter_that_is_invalid_is_named(
    handlers: WiredHandlers, query: dict[str, str], field: str
) -> None:
    response = handlers.request("list_runs", query=query)

    assert response.status == 400
    assert response.invalid_fields == [field]


def test_a_cursor_of_the_future_leads_to_the_newest_runs(handlers: WiredHandlers) -> None:
    ids = add_failed_runs(handlers, 1)

    assert list_all_pages(handlers, status="failed", cursor="run_0fffffffffff") == [ids]


@pytest.mark.parametrize(
    "owner",
    ["arn:aws:iam::123456789012:user/a,b+c=d@e", "https://issuer.test/|%7Cann", "Zoë 日本", "x" * 256],
)
def test_a_list_may_be_of_one_caller_whatever_its_name_is(handlers: WiredHandlers, owner: str) -> None:
    add_failed_runs(handlers, 1)
    runs = [handlers.repository.add_run(new_run(owner=owner, created_at=START)) for _ in range(3)]
    ids = sorted((run.run_id for run in runs), reverse=True)

    assert list_all_pages(handlers, owner=owner, limit="2") == [ids[:2], ids[2:]]
    assert list_all_pages(handlers, owner=owner, status="queued") == [ids]
    assert list_all_pages(handlers, owner=owner, status="failed") == [[]]


def test_a_caller_that_is_named_twice_is_invalid(handlers: WiredHandlers) -> None:
    """API Gateway joins the values with a comma, which names may have."""
    query = {"queryStringParameters": {"owner": "ann,bob"}, "rawQueryString": "owner=ann&owner=bob"}

    response = handlers.invoke("list_runs", sample_event("list_runs", **query))

    assert response["statusCode"] == 400
    assert [error["field"] for error in json.loads(response["body"])["errors"]] == ["owner"]
