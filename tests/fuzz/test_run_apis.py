"""Servers that answer anything: each run API gives what it should, or says TryAgain or Refused.

What comes out is also small enough, and of such text, that the workflow and the table can take it.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.arbitrary_values import (
    DEPTH,
    fuzzed,
    like,
    texts,
    values,
    written,
)
from werkzeug.wrappers import Request, Response

from local.http_server import HttpServer
from local.lambda_runtime import function_environment
from local.stack import LocalStack
from upcall.domain.assistants import find_assistant
from upcall.domain.errors import RequestRejected, TransientError
from upcall.domain.run import Run
from upcall.domain.tool_calls import ToolDefinition, ToolOutput
from upcall.domain.upstream_run import Message, UpstreamRun, UpstreamSnapshot
from upcall.run_apis import (
    RunApi,
    agents,
    assistants,
    responses,
)

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
APIS: dict[str, tuple[RunApi, Any]] = {
    "responses": (responses, RESPONSE),
    "assistants": (assistants, THREAD_RUN),
    "agents": (agents, SESSION),
}
HANDLES = {
    "responses": {"response_id": "resp_1"},
    "assistants": {"assistant_id": "asst_1", "thread_id": "thread_1", "run_id": "run_1"},
    "agents": {"session_id": "sess_1", "agent": "summarizer on m", "after": "", "answered": ""},
}
TOOL = ToolDefinition(name="fetch", description="Fetch.", parameters={"type": "object"})
OUTPUTS = (
    ToolOutput(call_id="c1", outcome="ok", output="{}"),
    ToolOutput(call_id="c2", outcome="error", output="x"),
)
ASSISTANT = find_assistant("summarizer")
OPERATIONS: dict[str, Callable[[RunApi, Run, UpstreamRun], Any]] = {
    "prepare": lambda api, run, handle: api.prepare(run, ASSISTANT, [TOOL]),
    "create": lambda api, run, handle: api.create(run, handle, ASSISTANT, [TOOL]),
    "poll": lambda api, run, handle: api.poll(handle),
    "submit": lambda api, run, handle: api.submit(run, ASSISTANT, [TOOL], handle, OUTPUTS),
    "message": lambda api, run, handle: api.message(handle),
    "cancel": lambda api, run, handle: api.cancel(handle),
}
WORDS = 10_000
"""Characters of what is said of a failure: it passes through the workflow's state."""


@dataclass
class Anything:
    """A WSGI application whose answers are set from outside: one after the other, the last one for ever."""

    answers: list[Response] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Answer a request (WSGI)."""
        Request(environ).get_data()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(environ, start_response)


@pytest.fixture(scope="module")
def server(laptop: LocalStack) -> Iterator[Anything]:
    """The server that the run APIs talk to."""
    app = Anything()
    up = HttpServer(app)
    environment = laptop.stack.functions["PollRunFunction"].environment
    with function_environment({**environment, "OPENAI_BASE_URL": up.url}):
        yield app
    up.stop()


def as_answer(body: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(body.encode("utf-8", "surrogatepass"), status, headers, content_type="application/json")


def assert_is_dealt_with(name: str, operation: str) -> None:
    """The operation gives what it should, or one of the two errors; and JSON can hold that."""
    api, _ = APIS[name]
    handle = UpstreamRun(run_api=api.__name__.rpartition(".")[2], ids=HANDLES[name])  # type: ignore[attr-defined]
    run = Run.new(
        prompt="Go.", assistant="summarizer", model="m", run_api=handle.run_api, created_at=datetime.now(UTC)
    )
    try:
        found = OPERATIONS[operation](api, run, handle)
    except (TransientError, RequestRejected) as error:
        assert len(str(error).encode()) < WORDS
        assert len(str(getattr(error, "code", "")).encode()) < WORDS
        assert (getattr(error, "retry_after", 0) or 0) < 86_400
        return
    assert isinstance(found, UpstreamRun | UpstreamSnapshot | Message | None)
    if found is not None:
        json.loads(found.model_dump_json())
    if isinstance(found, UpstreamSnapshot):
        assert found.pause_seconds < 86_400
        assert found.status != "requires_action" or found.tool_calls
        assert found.failure is None or len(found.failure.model_dump_json()) < WORDS
    if isinstance(found, UpstreamRun):
        assert all(id_.isprintable() for id_ in found.ids.values())


def bodies(name: str) -> st.SearchStrategy[Any]:
    return like(APIS[name][1]) | values


cases = st.sampled_from(list(APIS)).flatmap(
    lambda name: st.tuples(
        st.just(name), st.sampled_from(list(OPERATIONS)), st.lists(bodies(name), min_size=1, max_size=3)
    )
)


@fuzzed
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
def test_whatever_json_a_server_answers_is_dealt_with(
    server: Anything, case: tuple[str, str, list[Any]]
) -> None:
    name, operation, answers = case
    server.answers = [as_answer(written(each)) for each in answers]

    assert_is_dealt_with(name, operation)


errors = st.sampled_from([400, 401, 404, 409, 429, 500, 503])


@fuzzed
@given(
    st.sampled_from(list(APIS)),
    st.sampled_from(list(OPERATIONS)),
    errors,
    like({"error": {"message": "m", "code": "c"}}) | values,
)
@example("responses", "poll", 429, {"error": {"message": "m", "code": []}})
@example("responses", "poll", 400, {"error": {"message": "\ud800", "code": "\ud800"}})
@example("responses", "poll", 400, {"error": {"message": "m" * 1_000_000, "code": "c" * 1_000_000}})
@example("responses", "poll", 500, {"detail": [{"loc": ["a"]}]})
def test_whatever_json_a_server_refuses_with_is_dealt_with(
    server: Anything, name: str, operation: str, status: int, body: Any
) -> None:
    server.answers = [as_answer(written(body), status)]

    assert_is_dealt_with(name, operation)


@fuzzed
@given(
    st.sampled_from(list(APIS)),
    st.sampled_from(list(OPERATIONS)),
    st.sampled_from([200, 202, 204, 301, 302, 304, 400, 418, 429, 500]),
    texts | st.sampled_from(["[" * DEPTH, '{"a":' * DEPTH, "9" * 5000, '{"id": NaN}', "<html>"]),
    st.dictionaries(
        st.sampled_from(["Retry-After", "openai-poll-after-ms", "Location", "Content-Encoding"]),
        st.sampled_from(["1e300", "nan", "-1", "99999999999999999999", "0", "/x", "http://[", "gzip", "br"]),
    ),
)
@example("responses", "poll", 429, "", {"Retry-After": "1e300"})
@example("responses", "poll", 200, '{"status": "queued"}', {"openai-poll-after-ms": "1e300"})
def test_whatever_else_a_server_answers_is_dealt_with(
    server: Anything, name: str, operation: str, status: int, body: str, headers: dict[str, str]
) -> None:
    server.answers = [as_answer(body, status, headers)]

    assert_is_dealt_with(name, operation)
