from typing import Any

import pytest
from support.batch_repository_contract import add_numbered_batch
from support.wired_handlers import WiredHandlers


def add_batches(handlers: WiredHandlers, count: int) -> list[str]:
    """The ids of so many batches, newest first."""
    return [
        add_numbered_batch(handlers.batches, number, batch_id=f"batch_{number:028x}").batch_id
        for number in range(count)
    ][::-1]


def list_all_pages(handlers: WiredHandlers, **query: str) -> list[list[str]]:
    """The ids of the batches of each page."""
    pages: list[list[str]] = []
    while True:
        response = handlers.request("list_batches", query=query)
        assert response.status == 200, response.json
        pages.append([batch["batch_id"] for batch in response.json["batches"]])
        if "next_cursor" not in response.json:
            return pages
        query["cursor"] = response.json["next_cursor"]


def test_pages_lead_through_all_batches_newest_first(handlers: WiredHandlers) -> None:
    ids = add_batches(handlers, 4)

    assert list_all_pages(handlers, limit="2") == [ids[:2], ids[2:]]


def test_the_sample_shows_batches_as_the_route_of_one_batch_does(handlers: WiredHandlers) -> None:
    batch_id = "batch_0123456789ab0123456789abcdef"
    add_numbered_batch(handlers.batches, 0, batch_id=batch_id)

    listed: dict[str, Any] = handlers.request("list_batches").json

    assert listed == {"batches": [handlers.request("get_batch").json]}
    assert "fingerprint" not in listed["batches"][0]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"owner": ""}, "owner"),
        ({"owner": "x" * 257}, "owner"),
        ({"limit": "101"}, "limit"),
        ({"cursor": ""}, "cursor"),
        ({"cursor": "batch_0123456789ab0123456789abcdef"}, "cursor"),
        ({"cursor": "f23456789abc-batch_0123456789ab0123456789abcdef"}, "cursor"),
    ],
)
def test_a_parameter_that_is_invalid_is_named(
    handlers: WiredHandlers, query: dict[str, str], field: str
) -> None:
    response = handlers.request("list_batches", query=query)

    assert response.status == 400
    assert response.invalid_fields == [field]


def test_callers_of_a_stack_with_several_tenants_see_their_own(
    handlers: WiredHandlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENANCY", "many")
    anns = "arn:aws:iam::123456789012:user/ann"
    add_numbered_batch(handlers.batches, 1, owner=anns)
    add_numbered_batch(handlers.batches, 2, owner="another")

    response = handlers.request("list_batches", caller=anns, query={})

    assert [batch["batch_id"] for batch in response.json["batches"]] == ["batch_1"]
    others = handlers.request("list_batches", caller=anns, query={"owner": "another"})
    assert (others.status, others.json) == (200, {"batches": []})


def test_a_list_may_be_of_one_caller(handlers: WiredHandlers) -> None:
    add_batches(handlers, 3)
    others = add_numbered_batch(handlers.batches, 9, owner="another")

    assert list_all_pages(handlers, owner="another") == [[others.batch_id]]
