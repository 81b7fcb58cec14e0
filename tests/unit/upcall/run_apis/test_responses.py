"""What the Responses API says, in our words."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from support.canned_server import Server, canned, json_answer

from local.lambda_runtime import function_environment
from local.stack import LocalStack
from upcall.domain.assistants import find_assistant
from upcall.domain.errors import RequestRejected
from upcall.domain.run import Run
from upcall.domain.tool_calls import ToolDefinition, ToolOutput
from upcall.domain.upstream_run import UpstreamRun, UpstreamSnapshot
from upcall.run_apis import responses

HANDLE = UpstreamRun(run_api="responses", ids={"response_id": "resp_1"})
INTENT = UpstreamRun(run_api="responses", ids={})
TOOL = ToolDefinition(name="fetch", description="Fetch.", parameters={"type": "object"})
RUN = Run.new(
    prompt="Go.", assistant="summarizer", model="m", run_api="responses", created_at=datetime.now(UTC)
)
MESSAGE = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "Hello "}, {"type": "output_text", "text": "you."}],
}
CALL = {"type": "function_call", "call_id": "c1", "name": "fetch", "arguments": "{"}
USAGE = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}


@pytest.fixture
def environment(laptop: LocalStack) -> dict[str, str]:
    return dict(laptop.stack.functions["PollRunFunction"].environment)


def polled(environment: dict[str, str], body: dict[str, Any]) -> UpstreamSnapshot:
    with canned(json_answer({"id": "resp_1", **body})) as up:
        with function_environment({**environment, "OPENAI_BASE_URL": up.url}):
            return responses.poll(HANDLE)


@pytest.fixture
def server(environment: dict[str, str]) -> Iterator[Server]:
    with canned(json_answer({"id": "resp_2", "status": "queued"})) as up:
        with function_environment({**environment, "OPENAI_BASE_URL": up.url}):
            yield up


def test_creation_is_a_stored_background_response_that_bears_our_id(server: Server) -> None:
    handle = responses.create(RUN, INTENT, find_assistant("summarizer"), [TOOL])

    assert handle.ids == {"response_id": "resp_2"}
    assert server.asked[0].json == {
        "model": "m",
        "instructions": find_assistant("summarizer").instructions,
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


def test_without_tools_the_field_is_not_sent(server: Server) -> None:
    responses.create(RUN, INTENT, find_assistant("summarizer"), [])

    assert "tools" not in server.asked[0].json


def test_outputs_go_into_a_new_response_with_instructions_and_tools_again(server: Server) -> None:
    output = ToolOutput(call_id="c1", outcome="ok", output="text")
    handle = responses.submit(RUN, find_assistant("summarizer"), [TOOL], HANDLE, [output])

    sent = server.asked[0].json
    assert handle.ids == {"response_id": "resp_2"}
    assert sent["previous_response_id"] == "resp_1"
    assert sent["input"] == [{"type": "function_call_output", "call_id": "c1", "output": "text"}]
    assert sent["instructions"]
    assert sent["tools"]


def test_cancel_asks_for_it(server: Server) -> None:
    responses.cancel(HANDLE)

    assert (server.asked[0].method, server.asked[0].path) == ("POST", "/responses/resp_1/cancel")


@pytest.mark.parametrize("status", [400, 404])
def test_cancel_leaves_what_has_ended_as_it_is(environment: dict[str, str], status: int) -> None:
    with canned(json_answer({"error": {"message": "Too late."}}, status)) as up:
        with function_environment({**environment, "OPENAI_BASE_URL": up.url}):
            responses.cancel(HANDLE)

    assert len(up.asked) == 1


def test_an_answer_without_an_id_is_refused(environment: dict[str, str]) -> None:
    with canned(json_answer({"status": "queued"})) as up:
        with function_environment({**environment, "OPENAI_BASE_URL": up.url}):
            with pytest.raises(RequestRejected, match="has no id"):
                responses.create(RUN, INTENT, find_assistant("summarizer"), [])


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_working_statuses_are_ours_too(environment: dict[str, str], status: str) -> None:
    assert polled(environment, {"status": status, "output": []}) == UpstreamSnapshot(status=status)


def test_completed_with_a_message_is_completed(environment: dict[str, str]) -> None:
    snapshot = polled(environment, {"status": "completed", "output": [MESSAGE], "usage": USAGE})

    assert snapshot.status == "completed"
    assert snapshot.usage.total_tokens == 3


def test_completed_with_function_calls_requires_action(environment: dict[str, str]) -> None:
    snapshot = polled(environment, {"status": "completed", "output": [{"type": "reasoning"}, CALL, CALL]})

    assert snapshot.status == "requires_action"
    assert [call.arguments for call in snapshot.tool_calls] == ["{", "{"]
    assert snapshot.max_output_bytes > 100_000


@pytest.mark.parametrize("status", ["failed", "cancelled", "incomplete"])
def test_endings_without_a_reason_have_one_all_the_same(environment: dict[str, str], status: str) -> None:
    snapshot = polled(environment, {"status": status, "error": None, "incomplete_details": None})

    assert snapshot.status == status
    assert snapshot.failure is not None
    assert (snapshot.failure.status, snapshot.failure.code) == (status, status)


def test_an_error_of_any_code_is_told(environment: dict[str, str]) -> None:
    snapshot = polled(environment, {"status": "failed", "error": {"code": "odd", "message": "Odd."}})

    assert snapshot.failure is not None
    assert (snapshot.failure.code, snapshot.failure.message) == ("odd", "Odd.")


def test_an_error_that_is_only_words_is_told(environment: dict[str, str]) -> None:
    snapshot = polled(environment, {"status": "failed", "error": "out of memory"})

    assert snapshot.failure is not None
    assert (snapshot.failure.code, snapshot.failure.message) == ("failed", "out of memory")


def test_the_reason_of_an_incomplete_answer_is_told(environment: dict[str, str]) -> None:
    snapshot = polled(environment, {"status": "incomplete", "incomplete_details": {"reason": "length"}})

    assert snapshot.failure is not None
    assert snapshot.failure.code == "length"


def test_a_status_that_nobody_knows_fails_the_run_by_its_name(environment: dict[str, str]) -> None:
    snapshot = polled(environment, {"status": "pondering"})

    assert snapshot.status == "failed"
    assert snapshot.failure is not None
    assert snapshot.failure.code == "unknown_status"
    assert "'pondering'" in snapshot.failure.message


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": None}, {"cost": 3}])
def test_missing_usage_counts_as_none(environment: dict[str, str], usage: Any) -> None:
    assert polled(environment, {"status": "completed", "usage": usage}).usage.total_tokens == 0


def test_the_message_is_all_text_of_all_messages(environment: dict[str, str]) -> None:
    refusal = {"type": "message", "content": [{"type": "refusal", "refusal": " No more."}]}
    body = {"id": "resp_1", "status": "completed", "output": [MESSAGE, CALL, refusal], "usage": USAGE}
    with canned(json_answer(body)) as up:
        with function_environment({**environment, "OPENAI_BASE_URL": up.url}):
            message = responses.message(HANDLE)

    assert message.text == "Hello you. No more."
    assert message.usage.total_tokens == 3
