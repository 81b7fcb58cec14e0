"""OTLP over real HTTP: what is posted, and what the answers of a receiver mean."""

import json
import socket
from typing import Any

import pytest
from support.canned_server import canned_server, json_response
from werkzeug.wrappers import Response

from upcall.domain.errors import RequestRejected, TransientError
from upcall.web.otlp import MAX_RESPONSE_BYTES, send_spans

REQUEST: dict[str, Any] = {"resourceSpans": [{"name": "äö 😀"}]}


def test_a_request_is_json_with_the_operators_headers() -> None:
    with canned_server(json_response({})) as server:
        assert send_spans(server.url, {"api-key": "abc", "content-type": "text/plain"}, REQUEST) == 0

    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/v1/traces")
    assert request.headers["Api-Key"] == "abc"
    assert request.headers["Content-Type"] == "application/json"
    assert request.json == REQUEST


@pytest.mark.parametrize("count", [3, "3"])
def test_spans_that_were_rejected_are_counted(count: object) -> None:
    answer = {"partialSuccess": {"rejectedSpans": count, "errorMessage": "too old"}}
    with canned_server(json_response(answer)) as server:
        assert send_spans(server.url, {}, REQUEST) == 3


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not JSON",
        "[]",
        "null",
        "{}",
        '{"partialSuccess": null}',
        '{"partialSuccess": {}}',
        '{"partialSuccess": {"rejectedSpans": "x"}}',
        "[" * 30_000,
        "x" * 3 * MAX_RESPONSE_BYTES,
    ],
    ids=lambda body: body[:20],
)
def test_any_other_answer_is_a_success(body: str) -> None:
    with canned_server(Response(body, 200)) as server:
        assert send_spans(server.url, {}, REQUEST) == 0


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_receiver_that_is_busy_says_when_to_come_again(status: int) -> None:
    with canned_server(json_response({}, status, Retry_After="17")) as server:
        with pytest.raises(TransientError, match=f"returned {status}") as raised:
            send_spans(server.url, {}, REQUEST)

    assert raised.value.retry_after == 17
    assert len(server.requests) == 1, "the queue sends it again"


@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 404, 413, 415, 500, 501])
def test_a_request_that_is_rejected_is_not_sent_again(status: int) -> None:
    answer = Response("no such key " + "x" * 10_000, status, {"Location": "http://127.0.0.1:1/"})
    with canned_server(answer) as server:
        with pytest.raises(RequestRejected, match=f"returned {status}: no such key x{{10}}") as raised:
            send_spans(server.url, {}, REQUEST)

    assert len(server.requests) == 1, "redirects are not followed"
    assert len(str(raised.value)) < 400


def test_a_receiver_that_is_not_there_is_tried_again() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(TransientError, match="no response from the OTLP endpoint: ConnectError"):
            send_spans(f"http://127.0.0.1:{unused.getsockname()[1]}", {}, REQUEST)


def test_an_endpoint_that_is_no_url_is_rejected() -> None:
    with pytest.raises(RequestRejected, match="not a valid URL"):
        send_spans("http://[::1", {}, json.loads(json.dumps(REQUEST)))
