"""Requests to the HTTP API that nobody should send: each is taken or refused, and none is our fault.

The handlers are asked as API Gateway asks them. What fits the description or nearly does is in
`tests/local/test_api_by_its_description.py`.
"""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.arbitrary_values import (
    DEPTH,
    broken,
    fuzzed,
    like,
    nested,
    texts,
    values,
    written,
)
from support.sample_events import sample

Ask = Callable[[str, dict[str, Any]], dict[str, Any]]

RIGHT: dict[str, Any] = {
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
ROUTES = ("get_run", "list_calls", "cancel_run")


@pytest.fixture(scope="module")
def ask(handle: Callable[..., Any]) -> Ask:
    """Ask a handler of the API. Runs that it accepts are recorded, and end at once."""

    def answer(handler: str, event: dict[str, Any]) -> dict[str, Any]:
        found = handle(handler, event)
        assert isinstance(json.loads(json.dumps(found))["body"], str)
        return dict(found)

    return answer


def with_body(text: str | bytes) -> dict[str, Any]:
    """POST /runs as API Gateway tells of it: what is no text comes in base64."""
    if isinstance(text, bytes):
        return sample("start_run", body=base64.b64encode(text).decode(), isBase64Encoded=True)
    return sample("start_run", body=text)


def assert_ours_is_no_fault(answer: dict[str, Any]) -> None:
    status = answer["statusCode"]
    assert status in (200, 202, 400, 404, 409, 413, 422), answer
    document = json.loads(answer["body"])
    if status >= 400:
        assert (document["status"], document["type"]) == (status, "about:blank")
        assert answer["headers"]["Content-Type"] == "application/problem+json"


@fuzzed
@given(like(RIGHT) | values)
@example(
    {
        "prompt": "Go.",
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": nested(300)}},
    }
)
@example(
    {
        "prompt": "Go.",
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": nested(900)}},
    }
)
@example({"prompt": "Go.", "\ud800": 1})
@example({"prompt": "Go.", "metadata": {"\ud800": "a"}})
@example({"prompt": "Go.", "assistant": "\x00"})
@example({"prompt": "Go.", "previous_run_id": ""})
def test_whatever_json_is_posted_is_taken_or_refused(ask: Ask, body: Any) -> None:
    assert_ours_is_no_fault(ask("start_run", with_body(written(body))))


@fuzzed
@given(broken | texts | st.binary(max_size=60))
@example("[" * DEPTH + "]" * DEPTH)
@example(b"\xff\xfe")
@example('{"prompt": "Go."}'.encode("utf-16"))
@example('{"prompt": "Go."}'.encode("utf-32"))
def test_whatever_bytes_are_posted_are_taken_or_refused(ask: Ask, body: str | bytes) -> None:
    assert_ours_is_no_fault(ask("start_run", with_body(body)))


def test_a_post_without_a_body_is_refused(ask: Ask) -> None:
    event = sample("start_run")
    del event["body"]

    assert ask("start_run", event)["statusCode"] == 400


@fuzzed
@given(texts, texts, st.dictionaries(texts, texts, max_size=3))
def test_whatever_the_headers_say_the_request_is_taken_or_refused(
    ask: Ask, key: str, kind: str, others: dict[str, str]
) -> None:
    headers = {**others, "idempotency-key": key, "content-type": kind}

    assert_ours_is_no_fault(ask("start_run", sample("start_run", headers=headers)))


@fuzzed
@given(
    st.sampled_from(ROUTES),
    texts,
    st.dictionaries(st.sampled_from(["wait", "limit", "cursor"]) | texts, texts),
)
@example("list_calls", "run_0", {"cursor": "\U0010ffff" * 300})
@example("list_calls", "run_0", {"limit": "9" * 5000})
@example("get_run", "x" * 81, {})
@example("get_run", "\x00", {"wait": "nan"})
def test_whatever_run_is_asked_for_it_is_not_there(
    ask: Ask, route: str, run_id: str, query: dict[str, str]
) -> None:
    event = _about(route, run_id, {**query, "wait": "0"} if query.get("wait", "").isdigit() else query)

    answer = ask(route, event)

    assert answer["statusCode"] in (400, 404), answer
    assert_ours_is_no_fault(answer)


@fuzzed
@given(st.dictionaries(st.sampled_from(["status", "limit", "cursor"]), texts))
@example({"cursor": "run_0fffffffffff"})
@example({"cursor": "run_000000000000"})
@example({"limit": "1e1"})
def test_whatever_list_is_asked_for_is_given_or_refused(ask: Ask, query: dict[str, str]) -> None:
    assert_ours_is_no_fault(ask("list_runs", sample("list_runs", queryStringParameters=query)))


@fuzzed
@given(texts)
@example("\U0010ffff" * 300)
@example("0001#" + "x" * 295)
@example("ÿ" * 300)
def test_whatever_part_of_a_ledger_is_asked_for_is_given_or_refused(ask: Ask, cursor: str) -> None:
    run_id = json.loads(ask("start_run", sample("start_run"))["body"])["run_id"]

    assert_ours_is_no_fault(ask("list_calls", _about("list_calls", run_id, {"cursor": cursor})))


def _about(route: str, run_id: str, query: dict[str, str]) -> dict[str, Any]:
    """A request about a run: the path is as its sender spelt it, parameters are decoded."""
    event = sample(route, queryStringParameters=query, pathParameters={"run_id": run_id})
    path = event["rawPath"].replace(event["rawPath"].split("/")[2], run_id)
    event["requestContext"]["http"]["path"] = path
    return {**event, "rawPath": path}
