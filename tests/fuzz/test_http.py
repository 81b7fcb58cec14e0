"""Invalid requests to the HTTP API: each is accepted or rejected, and none causes an internal error.

The handlers are called as API Gateway calls them. Requests that fit the API's description, or nearly do, are tested in
`tests/integration/local/test_openapi_conformance.py`.
"""

import base64
import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from support.arbitrary_values import (
    DEPTH,
    edge_case_texts,
    fuzz_settings,
    nested_objects,
    similar_objects,
    texts,
    to_json,
    values,
)
from support.sample_events import sample_event, sample_run_request

from .conftest import SendRequest, assert_no_internal_error

VALID: dict[str, Any] = {
    "prompt": "Go.",
    "input": [{"type": "message", "role": "user", "content": "Go."}],
    "assistant": "summarizer",
    "model": "m",
    "run_api": "responses",
    "previous_run_id": "run_0",
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "n", "schema": {"type": "object"}, "description": "d", "strict": True},
    },
    "callback_url": "https://example.com/",
    "limits": {"rounds": 1, "seconds": 60},
    "metadata": {"a": "b"},
}
ROUTES = ("get_run", "list_calls", "list_events", "get_message", "cancel_run")


def post_event(body: str | bytes) -> dict[str, Any]:
    """The event of POST /runs. API Gateway encodes a body that is not text with base64."""
    if isinstance(body, bytes):
        return sample_event("start_run", body=base64.b64encode(body).decode(), isBase64Encoded=True)
    return sample_event("start_run", body=body)


def schema_of_depth(levels: int) -> dict[str, Any]:
    """A request for JSON with a schema that is deeply nested."""
    json_schema = {"name": "n", "schema": nested_objects(levels)}
    return {"prompt": "Go.", "response_format": {"type": "json_schema", "json_schema": json_schema}}


@fuzz_settings
@given(similar_objects(VALID) | values)
@example(schema_of_depth(300))
@example(schema_of_depth(900))
@example({"prompt": "Go.", "\ud800": 1})
@example({"prompt": "Go.", "metadata": {"\ud800": "a"}})
@example({"prompt": "Go.", "assistant": "\x00"})
@example({"prompt": "Go.", "previous_run_id": ""})
def test_any_json_is_accepted_or_rejected(send: SendRequest, body: Any) -> None:
    assert_no_internal_error(send("start_run", post_event(to_json(body))))


@fuzz_settings
@given(edge_case_texts | texts | st.binary(max_size=60))
@example("[" * DEPTH + "]" * DEPTH)
@example(b"\xff\xfe")
@example('{"prompt": "Go."}'.encode("utf-16"))
@example('{"prompt": "Go."}'.encode("utf-32"))
def test_any_body_is_accepted_or_rejected(send: SendRequest, body: str | bytes) -> None:
    assert_no_internal_error(send("start_run", post_event(body)))


def test_a_request_without_a_body_is_rejected(send: SendRequest) -> None:
    event = sample_event("start_run")
    del event["body"]

    assert send("start_run", event)["statusCode"] == 400


@fuzz_settings
@given(texts, texts, st.dictionaries(texts, texts, max_size=3))
def test_a_request_with_any_headers_is_accepted_or_rejected(
    send: SendRequest, key: str, content_type: str, others: dict[str, str]
) -> None:
    headers = {**others, "idempotency-key": key, "content-type": content_type}

    assert_no_internal_error(send("start_run", sample_event("start_run", headers=headers)))


@fuzz_settings
@given(
    st.sampled_from(ROUTES),
    texts,
    st.dictionaries(st.sampled_from(["wait", "limit", "cursor"]) | texts, texts),
)
@example("list_calls", "run_0", {"cursor": "\U0010ffff" * 300})
@example("list_calls", "run_0", {"limit": "9" * 5000})
@example("list_events", "run_0", {"after": "-1", "wait": "1e9", "limit": "0"})
@example("get_run", "x" * 81, {})
@example("get_run", "\x00", {"wait": "nan"})
def test_a_run_with_any_other_id_is_not_found(
    send: SendRequest, route: str, run_id: str, query: dict[str, str]
) -> None:
    query = {**query, "wait": "0"} if query.get("wait", "").isdigit() else query
    event = sample_run_request(route, run_id, queryStringParameters=query)

    response = send(route, event)

    assert response["statusCode"] in (400, 404), response
    assert_no_internal_error(response)


@fuzz_settings
@given(
    st.sampled_from(["list_runs", "list_batches"]),
    st.dictionaries(st.sampled_from(["owner", "status", "limit", "cursor"]), texts),
)
@example("list_runs", {"owner": "\U0010ffff" * 256})
@example("list_runs", {"owner": "\x00"})
@example("list_runs", {"owner": "\ud800"})
@example("list_batches", {"owner": "\ud800"})
@example("list_runs", {"cursor": "run_0fffffffffff"})
@example("list_runs", {"cursor": "run_000000000000"})
@example("list_runs", {"limit": "1e1"})
@example("list_batches", {"cursor": f"0fffffffffff-batch_{'f' * 28}"})
@example("list_batches", {"cursor": f"000000000000-batch_{'0' * 28}"})
def test_any_query_of_a_list_is_answered_or_rejected(
    send: SendRequest, route: str, query: dict[str, str]
) -> None:
    assert_no_internal_error(send(route, sample_event(route, queryStringParameters=query)))


@fuzz_settings
@given(texts)
@example("\U0010ffff" * 300)
@example("0001#" + "x" * 295)
@example("ÿ" * 300)
def test_any_cursor_of_a_ledger_is_answered_or_rejected(send: SendRequest, cursor: str) -> None:
    run_id = json.loads(send("start_run", sample_event("start_run"))["body"])["run_id"]
    event = sample_run_request("list_calls", run_id, queryStringParameters={"cursor": cursor})

    assert_no_internal_error(send("list_calls", event))
