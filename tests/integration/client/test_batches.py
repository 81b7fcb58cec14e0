"""Batches over the client: started once for a key, followed to the end, and read line by line."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError
from support.canned_server import CannedServer, canned_server, json_response
from support.iam_gateway import CALLER, REGION, IamGateway, iam_gateway
from support.waiting import wait_until
from werkzeug.wrappers import Response

from local.openai_emulator import Hang, Say
from local.stack import LocalStack
from upcall.client import (
    ApiError,
    BatchRequest,
    BatchView,
    ConnectionLost,
    IamAuth,
    UpcallClient,
    batches,
    http_api,
)
from upcall.domain.caller import ANYBODY


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MIN_PAUSE_SECONDS", 0.05)


@pytest.fixture
def gateway(local_stack: LocalStack) -> Iterator[IamGateway]:
    with iam_gateway(local_stack.endpoints.api) as started:
        yield started


@pytest.fixture
def api(gateway: IamGateway) -> Iterator[UpcallClient]:
    with UpcallClient(gateway.url, IamAuth(CALLER, REGION), retry_delays=(0.0, 0.0)) as started:
        yield started


def test_a_batch_is_followed_to_its_end_and_its_results_have_the_order_of_its_inputs(
    api: UpcallClient, local_stack: LocalStack
) -> None:
    text = "Grüße,\u2028世界"  # a line separator, which does not end a line of the results
    inputs = ("Hello.", {"prompt": "Hi.", "custom_id": "second"}, {"prompt": ""})
    defaults = {"model": local_stack.emulator.models.script(Say(text))}
    views: list[BatchView] = []

    started = api.start_batch(BatchRequest(inputs=inputs, defaults=defaults))
    ended = api.follow_batch(started.batch_id, views.append)

    assert (started.status, started.ended) == ("validating", False)
    assert (ended.status, ended.lines, ended.counts.failed) == ("completed", 3, 1)
    assert views[-1] == ended
    assert not any(view.ended for view in views[:-1])
    results = list(api.batch_results(started.batch_id))
    assert [(each.line, each.custom_id, each.status, each.message) for each in results] == [
        (1, None, "completed", text),
        (2, "second", "completed", text),
        (3, None, "failed", None),
    ]
    assert list(api.batch_results(started.batch_id, failures_only=True)) == results[2:]
    assert results[2].failure is not None
    assert "prompt" in results[2].failure.message


def test_a_batch_with_a_key_is_started_once_also_if_the_response_is_lost(
    api: UpcallClient, gateway: IamGateway, local_stack: LocalStack
) -> None:
    model = local_stack.emulator.script(Say("Done."))
    request = BatchRequest(inputs=("Hello.",), defaults={"model": model})
    gateway.faults = [503]
    first = api.start_batch(request)
    assert gateway.accepted.count("POST /batches") == 2
    assert len({headers["Idempotency-Key"] for headers in gateway.headers[-2:]}) == 1

    again = api.start_batch(request, "monday")
    assert api.start_batch(request, "monday").batch_id == again.batch_id != first.batch_id
    with pytest.raises(ApiError, match="stands for another request") as error:
        api.start_batch(BatchRequest(inputs=("Bye.",), defaults={"model": model}), "monday")
    assert error.value.status == 422
    for batch in (first, again):
        assert api.follow_batch(batch.batch_id).counts.completed == 1


def test_a_batch_is_cancelled_with_its_runs(api: UpcallClient, local_stack: LocalStack) -> None:
    defaults = {"model": local_stack.emulator.script(Hang())}
    batch_id = api.start_batch(
        BatchRequest(inputs=("One.", "Two."), concurrency=1, defaults=defaults)
    ).batch_id
    with pytest.raises(ApiError, match="has no results yet"):
        list(api.batch_results(batch_id))
    wait_until(lambda: api.get_batch(batch_id).under_way, "the first run")

    api.cancel_batch(batch_id)
    assert api.follow_batch(batch_id).status == "cancelled"
    assert [each.status for each in api.batch_results(batch_id)] == ["cancelled", "cancelled"]
    with pytest.raises(ApiError, match=f"batch {batch_id} has ended already"):
        api.cancel_batch(batch_id)


def test_text_that_is_no_id_is_not_sent(api: UpcallClient, gateway: IamGateway) -> None:
    for text in ("../runs", "batch_1/cancel", ""):
        with pytest.raises(ApiError, match="there is no batch"):
            api.get_batch(text)
    assert gateway.accepted == []


def test_half_of_a_surrogate_pair_is_an_error_of_the_inputs() -> None:
    with pytest.raises(ValidationError, match="must be JSON, of Unicode text"):
        BatchRequest(inputs=({"prompt": "\ud800"},))


def results_response(bucket: CannedServer, parts: int = 1, failures: int = 0) -> Response:
    """A response to GET /results: each part has two lines."""
    file: dict[str, Any] = {"url": f"{bucket.url}/part", "first_line": 1, "lines": 2, "bytes": 9}
    file |= {"failures": failures, "failures_url": f"{bucket.url}/failed" if failures else None}
    return json_response(
        {"batch_id": "batch_1", "manifest_url": f"{bucket.url}/manifest", "files": [file] * parts}
    )


WHOLE = Response(b"1\n2\n")


@pytest.mark.parametrize(
    "fault",
    [
        Response("<Error><Code>AccessDenied</Code></Error>", 403),  # the URL has expired
        Response(b"1\n"),
        Response(b"1\n2"),
        Response(b""),
        Response("Slow down.", 503),
    ],
)
def test_a_part_is_read_on_from_where_its_download_failed_with_a_new_url(fault: Response) -> None:
    with canned_server(WHOLE, fault, WHOLE) as bucket, canned_server(results_response(bucket, 2)) as server:
        with UpcallClient(server.url, retry_delays=(0.0,)) as client:
            assert list(client.batch_result_lines("batch_1")) == [b"1", b"2"] * 2
    assert (len(bucket.requests), len(server.requests)) == (3, 2)


def test_credentials_of_the_api_are_not_sent_to_the_bucket() -> None:
    with canned_server(WHOLE) as bucket, canned_server(results_response(bucket)) as server:
        with UpcallClient(server.url, IamAuth(CALLER, REGION)) as client:
            assert len(list(client.batch_result_lines("batch_1"))) == 2
    assert "Authorization" in server.requests[0].headers
    assert "Authorization" not in bucket.requests[0].headers


def test_batches_are_listed_newest_first_page_by_page(
    api: UpcallClient, gateway: IamGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_api, "MAX_PAGE_SIZE", 2)
    request = BatchRequest(inputs=("",))
    started = [api.start_batch(request, f"listed {number}").batch_id for number in range(3)]

    assert [batch.batch_id for batch in api.list_batches(3)] == started[::-1]
    assert gateway.accepted[-1].startswith("GET /batches?limit=1&cursor=0")
    assert [batch.batch_id for batch in api.list_batches(1)] == started[2:]
    assert [batch.batch_id for batch in api.list_batches(3, owner=ANYBODY)] == started[::-1]
    assert list(api.list_batches(3, owner="nobody")) == []
    for batch_id in started:
        api.follow_batch(batch_id)


def test_results_that_stay_unreadable_are_an_error_without_the_signed_url() -> None:
    with canned_server(Response("Gone.", 404)) as bucket, canned_server(results_response(bucket)) as server:
        with (
            UpcallClient(server.url, retry_delays=(0.0,)) as client,
            pytest.raises(ConnectionLost) as error,
        ):
            list(client.batch_result_lines("batch_1"))
    assert str(error.value) == "the results cannot be read from the bucket: 404 NOT FOUND"
    assert len(bucket.requests) == 2


def test_of_a_part_without_failures_no_failures_are_requested() -> None:
    with canned_server(Response(b"2\n")) as bucket:
        responses = (results_response(bucket, failures=1), results_response(bucket))
        with canned_server(*responses) as server, UpcallClient(server.url) as client:
            assert list(client.batch_result_lines("batch_1", failures_only=True)) == [b"2"]
            assert list(client.batch_result_lines("batch_1", failures_only=True)) == []
    assert [request.path for request in bucket.requests] == ["/failed"]


def test_a_field_that_this_version_does_not_know_is_ignored() -> None:
    now = datetime.now(UTC).isoformat()
    counts = {"completed": 1, "new": 1, "usage": {"usd": None, "new": 1}}
    batch = {"batch_id": "batch_1", "status": "completed", "owner": "me", "input_key": "k", "new": 1}
    batch |= {"input_format": "jsonl", "concurrency": 1, "created_at": now, "counts": counts}
    with canned_server(json_response(batch)) as server, UpcallClient(server.url) as client:
        assert client.get_batch("batch_1").counts.completed == 1
