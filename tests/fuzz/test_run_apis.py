"""Servers that respond with anything: each run API returns what its protocol says, or raises one of its two errors.

The results are also small enough for the workflow's state, and the table accepts their text.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.arbitrary_values import (
    DEPTH,
    fuzz_settings,
    similar_objects,
    texts,
    to_json,
    values,
)
from support.run_records import new_run
from werkzeug.wrappers import Request, Response

from local.http_server import HttpServer
from local.lambda_runtime import function_environment
from local.stack import LocalStack
from upcall.domain.assistants import find_assistant
from upcall.domain.errors import RequestRejected, TransientError
from upcall.domain.tool_calls import LedgerEntry, ToolCall, ToolDefinition, ToolOutput
from upcall.domain.upstream_run import Message, RunApiName, UpstreamRun, UpstreamSnapshot
from upcall.run_apis import get_run_api
from upcall.run_apis.base import RunApi, UpstreamRequest

CALL = {"type": "function_call", "call_id": "c1", "name": "fetch", "arguments": "{}"}
TEXT = {"type": "output_text", "text": "Hello."}
USAGE = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "status": "completed",
    "error": {"code": "c", "message": "m"},
    "incomplete_details": {"reason": "r"},
    "output": [CALL, {"type": "message", "content": [TEXT]}],
    "usage": USAGE,
}
THREAD_RUN: dict[str, Any] = {
    "id": "run_1",
    "status": "requires_action",
    "required_action": {
        "type": "submit_tool_outputs",
        "submit_tool_outputs": {
            "tool_calls": [{"id": "c1", "function": {"name": "fetch", "arguments": "{}"}}]
        },
    },
    "last_error": {"code": "c", "message": "m"},
    "incomplete_details": {"reason": "r"},
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    "metadata": {"run_id": "r", "upcall": "f"},
    "data": [
        {
            "id": "msg_1",
            "role": "assistant",
            "run_id": "run_1",
            "content": [{"type": "text", "text": {"value": "Hello."}}],
            "metadata": {"run_id": "r", "item": "0"},
        }
    ],
}
SESSION: dict[str, Any] = {
    "id": "sess_1",
    "status": "idle",
    "error": {"code": "c", "message": "m"},
    "required_actions": [CALL],
    "usage": USAGE,
    "has_more": True,
    "data": [
        {
            "id": "turn_1",
            "type": "message",
            "status": "waiting",
            "role": "assistant",
            "turn_id": "turn_1",
            "phase": "final",
            "content": [TEXT],
            "error": {"code": "c", "message": "m"},
            "usage": USAGE,
        }
    ],
}
VALID_BODIES: dict[RunApiName, Any] = {"responses": RESPONSE, "assistants": THREAD_RUN, "agents": SESSION}
UPSTREAM_IDS: dict[RunApiName, dict[str, str]] = {
    "responses": {"response_id": "resp_1"},
    "assistants": {"assistant_id": "asst_1", "thread_id": "thread_1", "run_id": "run_1"},
    "agents": {
        "session_id": "sess_1",
        "agent": "summarizer on m",
        "after": "",
        "answered": "",
        "answered_at": "0",
    },
}
APIS: list[RunApiName] = list(VALID_BODIES)
TOOL = ToolDefinition(name="fetch", description="Fetch.", parameters={"type": "object"})
OUTPUTS = (
    ToolOutput(call_id="c1", outcome="ok", output="{}"),
    ToolOutput(call_id="c2", outcome="error", output="x"),
)
ANSWERS = tuple(
    LedgerEntry(
        round=1,
        position=position,
        call=ToolCall(call_id=output.call_id, name="fetch", arguments="{}"),
        output=output,
    )
    for position, output in enumerate(OUTPUTS, start=1)
)
ASSISTANT = find_assistant("summarizer")
OPERATIONS: dict[str, Callable[[RunApi, UpstreamRequest, UpstreamRun], Any]] = {
    "prepare": lambda api, request, upstream_run: api.prepare(request),
    "create": lambda api, request, upstream_run: api.create(request, upstream_run, []),
    "poll": lambda api, request, upstream_run: api.poll(upstream_run),
    "submit": lambda api, request, upstream_run: api.submit(request, upstream_run, ANSWERS),
    "message": lambda api, request, upstream_run: api.get_message(request.run, upstream_run),
    "cancel": lambda api, request, upstream_run: api.cancel(upstream_run),
}
MAX_FAILURE_BYTES = 10_000
"""Of a failure's text, which passes through the workflow's state."""


@dataclass
class ResponseQueue:
    """A WSGI application whose responses a test sets: one after the other, the last one again and again."""

    responses: list[Response] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Handle a request (WSGI)."""
        Request(environ).get_data()
        response = self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]
        return response(environ, start_response)


@pytest.fixture(scope="module")
def server(local_stack: LocalStack) -> Iterator[ResponseQueue]:
    """The server that the run APIs call."""
    app = ResponseQueue()
    http_server = HttpServer(app)
    environment = local_stack.deployed.functions["PollRunFunction"].environment
    with function_environment({**environment, "OPENAI_BASE_URL": http_server.url}):
        yield app
    http_server.stop()


def response(body: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(body.encode("utf-8", "surrogatepass"), status, headers, content_type="application/json")


def assert_valid_result_or_error(name: RunApiName, operation: str) -> None:
    """The operation returns what its protocol says, in a form that JSON can hold, or raises one of the two errors."""
    upstream_run = UpstreamRun(run_api=name, ids=UPSTREAM_IDS[name])
    request = UpstreamRequest(new_run(run_api=name), ASSISTANT, [TOOL])
    try:
        result = OPERATIONS[operation](get_run_api(name), request, upstream_run)
    except (TransientError, RequestRejected) as error:
        assert len(str(error).encode()) < MAX_FAILURE_BYTES
        assert len(str(getattr(error, "code", "")).encode()) < MAX_FAILURE_BYTES
        assert len(str(getattr(error, "detail", "")).encode()) < MAX_FAILURE_BYTES
        assert (getattr(error, "retry_after", 0) or 0) < 86_400
        return
    assert isinstance(result, UpstreamRun | UpstreamSnapshot | Message | None)
    if result is not None:
        json.loads(result.model_dump_json())
    if isinstance(result, UpstreamSnapshot):
        assert result.pause_seconds < 86_400
        assert result.status != "requires_action" or result.tool_calls
        assert result.failure is None or len(result.failure.model_dump_json()) < MAX_FAILURE_BYTES
    if isinstance(result, UpstreamRun):
        assert all(id_.isprintable() for id_ in result.ids.values())


def bodies(name: RunApiName) -> st.SearchStrategy[Any]:
    return similar_objects(VALID_BODIES[name]) | values


cases = st.sampled_from(APIS).flatmap(
    lambda name: st.tuples(
        st.just(name), st.sampled_from(list(OPERATIONS)), st.lists(bodies(name), min_size=1, max_size=3)
    )
)


@fuzz_settings
@given(cases)
@example(("responses", "poll", [{"status": []}]))
@example(("responses", "poll", [{"status": "x" * 100_000}]))
@example(("responses", "poll", [{"status": "completed", "output": "abc"}]))
@example(("responses", "poll", [{"status": "completed", "output": [{**CALL, "arguments": "\ud800"}]}]))
@example(("responses", "poll", [{"status": "failed", "error": {"code": "c", "message": "m" * 100_000}}]))
@example(("responses", "create", [{"id": ""}]))
@example(("responses", "create", [{"id": "a\nb"}]))
@example(("responses", "create", [{"id": "../models"}]))
@example(("responses", "message", [{"output": [{"type": "message", "content": "\udfff"}], "usage": USAGE}]))
@example(("assistants", "message", [{"data": {"a": 1}}]))
@example(("assistants", "poll", [{"status": "requires_action", "required_action": "x"}]))
@example(("assistants", "create", [{"data": [{"metadata": {"run_id": "r"}}]}]))
@example(("agents", "message", [SESSION]))
@example(("agents", "poll", [{"status": {}, "data": "abc"}]))
@example(
    ("agents", "poll", [{"data": [{"status": "waiting", "id": []}], "required_actions": [{"call_id": []}]}])
)
def test_any_json(server: ResponseQueue, case: tuple[RunApiName, str, list[Any]]) -> None:
    name, operation, response_bodies = case
    server.responses = [response(to_json(body)) for body in response_bodies]

    assert_valid_result_or_error(name, operation)


error_statuses = st.sampled_from([400, 401, 404, 409, 429, 500, 503])


@fuzz_settings
@given(
    st.sampled_from(APIS),
    st.sampled_from(list(OPERATIONS)),
    error_statuses,
    similar_objects({"error": {"message": "m", "code": "c"}}) | values,
)
@example("responses", "poll", 429, {"error": {"message": "m", "code": []}})
@example("responses", "poll", 400, {"error": {"message": "\ud800", "code": "\ud800"}})
@example("responses", "poll", 400, {"error": {"message": "m" * 1_000_000, "code": "c" * 1_000_000}})
@example("responses", "poll", 500, {"detail": [{"loc": ["a"]}]})
@example("responses", "poll", 429, {"error": {"message": "m", "type": []}})
@example("responses", "poll", 429, {"error": {"message": [], "type": {}}})
@example("responses", "poll", 500, {"error": {"message": "m" * 1_000_000}})
def test_any_json_with_an_error_status(
    server: ResponseQueue, name: RunApiName, operation: str, status: int, body: Any
) -> None:
    server.responses = [response(to_json(body), status)]

    assert_valid_result_or_error(name, operation)


@fuzz_settings
@given(
    st.sampled_from(APIS),
    st.sampled_from(list(OPERATIONS)),
    st.sampled_from([200, 202, 204, 301, 302, 304, 400, 418, 429, 500]),
    texts | st.sampled_from(["[" * DEPTH, '{"a":' * DEPTH, "9" * 5000, '{"id": NaN}', "<html>"]),
    st.dictionaries(
        st.sampled_from(
            ["Retry-After", "retry-after-ms", "openai-poll-after-ms", "Location", "Content-Encoding"]
        ),
        st.sampled_from(
            [
                "1e300",
                "nan",
                "-1",
                "99999999999999999999",
                "0",
                "/x",
                "http://[",
                "gzip",
                "br",
                "Wed, 21 Oct 2015 07:28:00 GMT",
                "Fri, 01 Jan 99999999999999999999 00:00:00 GMT",
                "Mon, 01 Jan 0001 00:00:00 +2359",
            ]
        ),
    ),
)
@example("responses", "poll", 429, "", {"Retry-After": "1e300"})
@example("responses", "poll", 429, "", {"Retry-After": "Fri, 01 Jan 99999999999999999999 00:00:00 GMT"})
@example("responses", "poll", 429, "", {"Retry-After": "Mon, 01 Jan 0001 00:00:00 +2359"})
@example("responses", "poll", 429, "", {"retry-after-ms": "1e300"})
@example("responses", "poll", 200, '{"status": "queued"}', {"openai-poll-after-ms": "1e300"})
def test_any_other_response(
    server: ResponseQueue, name: RunApiName, operation: str, status: int, body: str, headers: dict[str, str]
) -> None:
    server.responses = [response(body, status, headers)]

    assert_valid_result_or_error(name, operation)
