"""The Responses API: how its responses are parsed, and the requests that it gets."""

from typing import Any

import pytest
from support.run_records import new_run

from upcall.domain.assistants import find_assistant
from upcall.domain.errors import RequestRejected, TransientError
from upcall.domain.run import Run
from upcall.domain.run_request import Reasoning, ResponseFormat
from upcall.domain.tool_calls import LedgerEntry, ToolCall, ToolDefinition, ToolOutput
from upcall.domain.upstream_run import Message, UpstreamRun, UpstreamSnapshot
from upcall.domain.usage import Usage
from upcall.run_apis import responses
from upcall.run_apis.base import UpstreamRequest

from .conftest import RespondWith, json_response

UPSTREAM_RUN = UpstreamRun(run_api="responses", ids={"response_id": "resp_1"})
INTENT = UpstreamRun(run_api="responses", ids={})
TOOL = ToolDefinition(name="fetch", description="Fetch.", parameters={"type": "object"})
RUN = new_run(owner="ann", run_api="responses")
STRUCTURED_RUN = RUN.model_copy(
    update={
        "response_format": ResponseFormat.model_validate(
            {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}}
        )
    }
)
REQUEST = UpstreamRequest(RUN, find_assistant("summarizer"), [TOOL])
REQUEST_WITHOUT_TOOLS = UpstreamRequest(RUN, REQUEST.assistant, [])
MESSAGE = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "Hello "}, {"type": "output_text", "text": "you."}],
}
CALL = {"type": "function_call", "call_id": "c1", "name": "fetch", "arguments": "{"}
OTHER_CALL = {**CALL, "call_id": "c2"}
USAGE = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
ANSWER = LedgerEntry(
    round=1,
    position=1,
    call=ToolCall(call_id="c1", name="fetch", arguments="{}"),
    output=ToolOutput(call_id="c1", outcome="ok", output="text"),
)
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
    responses.create(REQUEST, INTENT, [ANSWER])

    assert requests[0].json["input"] == [
        {"role": "user", "content": "Go."},
        {"type": "function_call", "call_id": "c1", "name": "fetch", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "text"},
    ]


def test_outputs_create_a_response_with_instructions_and_tools_again(respond_with: RespondWith) -> None:
    requests = respond_with(CREATED)
    submitted = responses.submit(REQUEST, UPSTREAM_RUN, [ANSWER])

    body = requests[0].json
    assert submitted.ids == {"response_id": "resp_2", "answered_response_id": "resp_1"}
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
    respond_with(json_response({"id": "resp_1", "status": "queued"}, openai_poll_after_ms="5000"))

    assert responses.poll(UPSTREAM_RUN).pause_seconds == 5


def test_a_completed_response_with_a_message_is_completed(respond_with: RespondWith) -> None:
    snapshot = poll(respond_with, {"status": "completed", "output": [MESSAGE], "usage": USAGE})

    assert snapshot.status == "completed"
    assert snapshot.usage.total_tokens == 3


def test_a_completed_response_with_function_calls_requires_action(respond_with: RespondWith) -> None:
    snapshot = poll(
        respond_with, {"status": "completed", "output": [{"type": "reasoning"}, CALL, OTHER_CALL]}
    )

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


def test_a_completed_response_with_an_error_and_no_message_has_failed(respond_with: RespondWith) -> None:
    error = {"code": "server_error", "message": "Sorry."}
    snapshot = poll(respond_with, {"status": "completed", "error": error, "output": [{"type": "reasoning"}]})

    assert snapshot.failure is not None
    assert (snapshot.status, snapshot.failure.code, snapshot.failure.message) == (
        "failed",
        "server_error",
        "Sorry.",
    )


def test_a_completed_response_with_a_message_and_an_error_is_completed(respond_with: RespondWith) -> None:
    error = {"code": "warning", "message": "Slow."}

    assert (
        poll(respond_with, {"status": "completed", "error": error, "output": [MESSAGE]}).status == "completed"
    )


def test_a_response_without_a_status_is_completed_if_it_has_output(respond_with: RespondWith) -> None:
    assert poll(respond_with, {"output": [MESSAGE]}).status == "completed"
    for body in ({}, {"object": "response"}):
        snapshot = poll(respond_with, body)
        assert snapshot.failure is not None
        assert snapshot.failure.code == "unknown_status"


@pytest.mark.parametrize("status", [404, 400])
def test_a_response_that_was_just_created_may_not_show_yet(respond_with: RespondWith, status: int) -> None:
    message = "Response with id 'resp_1' not found."
    code = None if status == 404 else "previous_response_not_found"
    respond_with(json_response({"error": {"message": message, "code": code}}, status))

    with pytest.raises(TransientError) as caught:
        responses.poll(UPSTREAM_RUN)
    assert caught.value.detail == f"{status}: {message}"
    with pytest.raises(TransientError):
        responses.get_message(RUN, UPSTREAM_RUN)


def test_a_previous_response_that_does_not_show_yet_is_asked_for_again(respond_with: RespondWith) -> None:
    error = {
        "message": "Previous response with id 'resp_1' not found.",
        "code": "previous_response_not_found",
    }
    respond_with(json_response({"error": error}, 400))

    with pytest.raises(TransientError):
        responses.submit(REQUEST, UPSTREAM_RUN, [ANSWER])


def get_message(respond_with: RespondWith, *output: Any, run: Run = RUN) -> Message:
    respond_with(json_response({"id": "resp_1", "status": "completed", "output": output, "usage": USAGE}))
    return responses.get_message(run, UPSTREAM_RUN)


def message(text: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": text}],
        **fields,
    }


def test_the_message_is_the_text_of_all_messages_with_an_empty_line_between_them(
    respond_with: RespondWith,
) -> None:
    found = get_message(respond_with, MESSAGE, CALL, message(""), message("Good bye."))

    assert found == Message(text="Hello you.\n\nGood bye.", usage=Usage.model_validate(USAGE))


def test_commentary_is_not_part_of_the_message(respond_with: RespondWith) -> None:
    found = get_message(
        respond_with,
        message("Let me look.", phase="commentary"),
        message("Hello", phase="final_answer"),
        message("you.", phase=None),
    )

    assert found.text == "Hello\n\nyou."


def test_a_response_with_commentary_alone_has_no_message(respond_with: RespondWith) -> None:
    assert get_message(respond_with, message("Let me look.", phase="commentary")).text == ""
    assert get_message(respond_with, {"type": "reasoning", "summary": [{"text": "Hm."}]}).text == ""


def test_with_a_response_format_the_message_is_the_last_one(respond_with: RespondWith) -> None:
    found = get_message(respond_with, message("Here it is:"), message('{"a": 1}'), run=STRUCTURED_RUN)

    assert found.text == '{"a": 1}'


def test_a_refusal_is_not_text(respond_with: RespondWith) -> None:
    refusal = {"type": "message", "content": [{"type": "refusal", "refusal": "I cannot help with that."}]}
    found = get_message(respond_with, refusal)

    assert (found.text, found.refusal) == ("", "I cannot help with that.")
    assert get_message(respond_with, refusal, run=STRUCTURED_RUN).refusal == "I cannot help with that."
    both = get_message(respond_with, MESSAGE, refusal)
    assert (both.text, both.refusal) == ("Hello you.", "I cannot help with that.")


@pytest.mark.parametrize(
    "content", [None, 7, [None, "x", {"text": None}, {"text": 7, "refusal": None}], {"text": "x"}]
)
def test_content_of_another_form_does_not_fail(respond_with: RespondWith, content: Any) -> None:
    found = get_message(respond_with, {"type": "message", "content": content})

    assert found.text in ("", "7")
    assert found.refusal == ""


def test_options_of_the_run_are_sent_with_every_response(respond_with: RespondWith) -> None:
    options = {
        "instructions": "Answer in Latin.",
        "temperature": 0.0,
        "max_output_tokens": 100,
        "reasoning": Reasoning(effort="low"),
    }
    run = RUN.model_copy(update={**options, "completion_window": "2h"})
    request = UpstreamRequest(run, REQUEST.assistant, [TOOL])
    requests = respond_with(CREATED, CREATED)
    responses.create(request, INTENT, [])
    responses.submit(request, UPSTREAM_RUN, [ANSWER])

    for each in requests:
        sent = {name: each.json[name] for name in options}
        assert sent == {**options, "reasoning": {"effort": "low"}}
        assert each.json["background_options"] == {"completion_window": "2h"}


@pytest.mark.parametrize("code", ["server_error", "rate_limit_exceeded"])
@pytest.mark.parametrize("status", ["failed", "completed"])
def test_a_response_that_failed_for_a_reason_that_passes_may_be_created_again(
    respond_with: RespondWith, status: str, code: str
) -> None:
    snapshot = poll(respond_with, {"status": status, "error": {"code": code, "message": "Sorry."}})

    assert (snapshot.status, snapshot.repeat) == ("failed", True)


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        ("failed", "invalid_prompt", "No."),
        ("failed", None, "No."),
        ("cancelled", "server_error", "No."),
        ("failed", "rate_limit_exceeded", "You exceeded your current quota, please check your plan."),
        ("failed", "rate_limit_exceeded", "Request too large for gpt-5 (tokens per min): Limit 30000."),
    ],
)
def test_a_response_that_failed_for_good_is_not_created_again(
    respond_with: RespondWith, status: str, code: str | None, message: str
) -> None:
    snapshot = poll(respond_with, {"status": status, "error": {"code": code, "message": message}})

    assert snapshot.failure is not None
    assert not snapshot.repeat


def test_the_first_response_is_created_again_like_the_first_time(respond_with: RespondWith) -> None:
    requests = respond_with(CREATED)
    responses.create(REQUEST, INTENT, [ANSWER])
    repeated = responses.repeat(REQUEST, UPSTREAM_RUN, [ANSWER])

    assert repeated.ids == {"response_id": "resp_2"}
    assert requests[0].json == requests[1].json


def test_a_response_to_outputs_is_created_again_with_those_of_the_last_round(
    respond_with: RespondWith,
) -> None:
    requests = respond_with(CREATED)
    submitted = responses.submit(REQUEST, UPSTREAM_RUN, [ANSWER])
    request = UpstreamRequest(RUN.model_copy(update={"round": 2}), REQUEST.assistant, REQUEST.tools)
    earlier = ANSWER.model_copy(update={"output": ToolOutput(call_id="c1", outcome="ok", output="old")})
    repeated = responses.repeat(request, submitted, [earlier, ANSWER.model_copy(update={"round": 2})])

    assert requests[0].json == requests[1].json
    assert repeated == submitted
