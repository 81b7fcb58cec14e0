"""The Responses API: how its responses are parsed, and the requests that it gets."""

from datetime import UTC, datetime
from typing import Any

import pytest

from upcall.domain.assistants import find_assistant
from upcall.domain.errors import RequestRejected
from upcall.domain.run import Run
from upcall.domain.tool_calls import LedgerEntry, ToolCall, ToolDefinition, ToolOutput
from upcall.domain.upstream_run import UpstreamRun, UpstreamSnapshot
from upcall.run_apis import responses
from upcall.run_apis.base import UpstreamRequest

from .conftest import RespondWith, json_response

UPSTREAM_RUN = UpstreamRun(run_api="responses", ids={"response_id": "resp_1"})
INTENT = UpstreamRun(run_api="responses", ids={})
TOOL = ToolDefinition(name="fetch", description="Fetch.", parameters={"type": "object"})
RUN = Run.new(
    owner="ann",
    prompt="Go.",
    assistant="summarizer",
    model="m",
    run_api="responses",
    created_at=datetime.now(UTC),
)
REQUEST = UpstreamRequest(RUN, find_assistant("summarizer"), [TOOL])
REQUEST_WITHOUT_TOOLS = UpstreamRequest(RUN, REQUEST.assistant, [])
MESSAGE = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "Hello "}, {"type": "output_text", "text": "you."}],
}
CALL = {"type": "function_call", "call_id": "c1", "name": "fetch", "arguments": "{"}
USAGE = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
CREATED = json_response({"id": "resp_2", "status": "queued"})


def poll(respond_with: RespondWith, body: dict[str, Any]) -> UpstreamSnapshot:
    respond_with(json_response({"id": "resp_1", **body}))
    return responses.poll(UPSTREAM_RUN)


def test_a_run_is_created_as_a_stored_background_response_with_its_id(respond_with: RespondWith) -> None:
    requests = respond_with(CREATED)
    created = responses.create(REQUEST, INTENT, [])

    assert created.ids == {"response_id": "resp_2"}
    assert requests[0].json == {
        "model": "m",
        "instructions": REQUEST.assistant.instructions,
        "background": True,
        "store": True,
        "metadata": {"run_id": RUN.run_id},
        "input": "Go.",
        "tools": [
            {
                "type": "function",
                "strict": True,
                "name": "fetch",
                "description": "Fetch.",
                "parameters": {"type": "object"},
            }
        ],
    }


def test_without_tools_the_field_is_not_sent(respond_with: RespondWith) -> None:
    requests = respond_with(CREATED)
    responses.create(REQUEST_WITHOUT_TOOLS, INTENT, [])

    assert "tools" not in requests[0].json


def test_answered_calls_of_an_earlier_attempt_are_input_of_the_next(respond_with: RespondWith) -> None:
    requests = respond_with(CREATED)
    call = ToolCall(call_id="c1", name="fetch", arguments="{}")
    output = ToolOutput(call_id="c1", outcome="ok", output="text")
    responses.create(REQUEST, INTENT, [LedgerEntry(round=1, position=1, call=call, output=output)])

    assert requests[0].json["input"] == [
        {"role": "user", "content": "Go."},
        {"type": "function_call", "call_id": "c1", "name": "fetch", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "text"},
    ]


def test_outputs_create_a_response_with_instructions_and_tools_again(respond_with: RespondWith) -> None:
    requests = respond_with(CREATED)
    output = ToolOutput(call_id="c1", outcome="ok", output="text")
    submitted = responses.submit(REQUEST, UPSTREAM_RUN, [output])

    body = requests[0].json
    assert submitted.ids == {"response_id": "resp_2"}
    assert body["previous_response_id"] == "resp_1"
    assert body["input"] == [{"type": "function_call_output", "call_id": "c1", "output": "text"}]
    assert body["instructions"]
    assert body["tools"]


def test_cancel_posts_to_the_response(respond_with: RespondWith) -> None:
    requests = respond_with(CREATED)
    responses.cancel(UPSTREAM_RUN)

    assert (requests[0].method, requests[0].path) == ("POST", "/v1/responses/resp_1/cancel")


@pytest.mark.parametrize("status", [400, 404])
def test_cancel_accepts_that_the_run_has_ended(respond_with: RespondWith, status: int) -> None:
    requests = respond_with(json_response({"error": {"message": "Too late."}}, status))
    responses.cancel(UPSTREAM_RUN)

    assert len(requests) == 1


def test_a_created_response_without_an_id_is_rejected(respond_with: RespondWith) -> None:
    respond_with(json_response({"status": "queued"}))

    with pytest.raises(RequestRejected, match="an object without an id"):
        responses.create(REQUEST_WITHOUT_TOOLS, INTENT, [])


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_a_working_response_has_the_same_status(respond_with: RespondWith, status: str) -> None:
    snapshot = poll(respond_with, {"status": status, "output": []})

    assert snapshot == UpstreamSnapshot.model_validate({"status": status})


def test_the_servers_poll_interval_becomes_the_pause(respond_with: RespondWith) -> None:
    respond_with(json_response({"status": "queued"}, openai_poll_after_ms="5000"))

    assert responses.poll(UPSTREAM_RUN).pause_seconds == 5


def test_a_completed_response_with_a_message_is_completed(respond_with: RespondWith) -> None:
    snapshot = poll(respond_with, {"status": "completed", "output": [MESSAGE], "usage": USAGE})

    assert snapshot.status == "completed"
    assert snapshot.usage.total_tokens == 3


def test_a_completed_response_with_function_calls_requires_action(respond_with: RespondWith) -> None:
    snapshot = poll(respond_with, {"status": "completed", "output": [{"type": "reasoning"}, CALL, CALL]})

    assert snapshot.status == "requires_action"
    assert [call.arguments for call in snapshot.tool_calls] == ["{", "{"]
    assert snapshot.max_output_bytes > 100_000


@pytest.mark.parametrize("item_type", responses.UNSUPPORTED_ITEMS)
def test_an_unsupported_item_stops_the_run_and_is_named(respond_with: RespondWith, item_type: str) -> None:
    snapshot = poll(respond_with, {"status": "completed", "output": [CALL, {"type": item_type}]})

    assert snapshot.failure is not None
    assert (snapshot.status, snapshot.failure.code) == ("failed", "unsupported_action")
    assert f"'{item_type}'" in snapshot.failure.message
    assert snapshot.still_running


@pytest.mark.parametrize("status", ["failed", "cancelled", "incomplete"])
def test_a_failure_without_a_reason_has_the_status_as_its_code(
    respond_with: RespondWith, status: str
) -> None:
    snapshot = poll(respond_with, {"status": status, "error": None, "incomplete_details": None})

    assert snapshot.status == status
    assert snapshot.failure is not None
    assert (snapshot.failure.status, snapshot.failure.code) == (status, status)


def test_an_error_keeps_its_code_and_message(respond_with: RespondWith) -> None:
    snapshot = poll(respond_with, {"status": "failed", "error": {"code": "odd", "message": "Odd."}})

    assert snapshot.failure is not None
    assert (snapshot.failure.code, snapshot.failure.message) == ("odd", "Odd.")


def test_an_error_that_is_a_string_is_the_message(respond_with: RespondWith) -> None:
    snapshot = poll(respond_with, {"status": "failed", "error": "out of memory"})

    assert snapshot.failure is not None
    assert (snapshot.failure.code, snapshot.failure.message) == ("failed", "out of memory")


def test_the_reason_of_an_incomplete_response_is_the_code(respond_with: RespondWith) -> None:
    snapshot = poll(respond_with, {"status": "incomplete", "incomplete_details": {"reason": "length"}})

    assert snapshot.failure is not None
    assert snapshot.failure.code == "length"


def test_an_unknown_status_stops_the_run_and_is_named(respond_with: RespondWith) -> None:
    snapshot = poll(respond_with, {"status": "pondering"})

    assert snapshot.status == "failed"
    assert snapshot.failure is not None
    assert snapshot.failure.code == "unknown_status"
    assert "'pondering'" in snapshot.failure.message
    assert snapshot.still_running


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": None}, {"cost": 3}])
def test_missing_usage_counts_as_none(respond_with: RespondWith, usage: Any) -> None:
    assert poll(respond_with, {"status": "completed", "usage": usage}).usage.total_tokens == 0


def test_the_message_is_the_text_of_all_messages(respond_with: RespondWith) -> None:
    refusal = {"type": "message", "content": [{"type": "refusal", "refusal": " No more."}]}
    body = {"id": "resp_1", "status": "completed", "output": [MESSAGE, CALL, refusal], "usage": USAGE}
    respond_with(json_response(body))
    message = responses.get_message(UPSTREAM_RUN)

    assert message.text == "Hello you. No more."
    assert message.usage.total_tokens == 3
