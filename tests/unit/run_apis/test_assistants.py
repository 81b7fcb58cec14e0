"""The Assistants API: how its runs are parsed, and the requests that it gets."""

from typing import Any

import pytest
from support.run_records import new_run

from upcall.domain.assistants import find_assistant
from upcall.domain.errors import FieldError, RequestRejected, TransientError
from upcall.domain.run import Run
from upcall.domain.run_request import Reasoning
from upcall.domain.tool_calls import LedgerEntry, ToolCall, ToolDefinition, ToolOutput
from upcall.domain.upstream_run import UpstreamRun, UpstreamSnapshot
from upcall.domain.usage import Usage
from upcall.run_apis import assistants
from upcall.run_apis.base import UpstreamRequest

from .conftest import CannedResponse, ReceivedRequest, RespondWith, json_response, text_response

INTENT = UpstreamRun(run_api="assistants", ids={"assistant_id": "asst_1", "thread_id": "thread_1"})
UPSTREAM_RUN = UpstreamRun(run_api="assistants", ids={**INTENT.ids, "run_id": "run_1"})
TOOL = ToolDefinition(name="fetch", description="Fetch.", parameters={"type": "object"})
RUN = new_run(owner="ann", run_api="assistants")
REQUEST = UpstreamRequest(RUN, find_assistant("summarizer"), [TOOL])
ANSWER = LedgerEntry(
    round=1,
    position=1,
    call=ToolCall(call_id="c1", name="fetch", arguments="{"),
    output=ToolOutput(call_id="c1", outcome="ok", output="text"),
)
CALL = {"id": "c1", "type": "function", "function": {"name": "fetch", "arguments": "{"}}
ACTION = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [CALL]}}


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    assistants._find_or_create_assistant.cache_clear()


def poll(respond_with: RespondWith, body: dict[str, Any]) -> UpstreamSnapshot:
    respond_with(json_response({"id": "run_1", **body}))
    return assistants.poll(UPSTREAM_RUN)


@pytest.mark.parametrize("status", ["queued", "in_progress", "cancelling"])
def test_a_working_run_has_the_same_status(respond_with: RespondWith, status: str) -> None:
    body = {"status": status, "usage": None, "required_action": None, "expires_at": None}

    assert poll(respond_with, body) == UpstreamSnapshot.model_validate({"status": status})


def test_a_required_action_has_the_calls_as_the_model_wrote_them(respond_with: RespondWith) -> None:
    snapshot = poll(respond_with, {"status": "requires_action", "required_action": ACTION, "usage": None})

    (call,) = snapshot.tool_calls
    assert (snapshot.status, call.call_id, call.name, call.arguments) == (
        "requires_action",
        "c1",
        "fetch",
        "{",
    )


@pytest.mark.parametrize(
    ("action", "named"),
    [
        ({"type": "sign_form"}, "'sign_form'"),
        ({"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": []}}, "'no calls'"),
    ],
)
def test_an_unsupported_action_stops_the_run_and_is_named(
    respond_with: RespondWith, action: dict[str, Any], named: str
) -> None:
    snapshot = poll(respond_with, {"status": "requires_action", "required_action": action})

    assert snapshot.failure is not None
    assert snapshot.failure.code == "unsupported_action"
    assert named in snapshot.failure.message
    assert snapshot.still_running


@pytest.mark.parametrize("status", ["pondering", "", None, 7])
def test_an_unknown_status_stops_the_run_and_is_named(respond_with: RespondWith, status: Any) -> None:
    snapshot = poll(respond_with, {"status": status})

    assert snapshot.failure is not None
    assert snapshot.failure.code == "unknown_status"
    assert repr(str(status)) in snapshot.failure.message
    assert snapshot.still_running


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"status": "failed", "last_error": {"code": "odd", "message": "Odd."}}, "odd", "Odd."),
        ({"status": "failed", "last_error": "a string"}, "failed", "a string"),
        ({"status": "failed", "last_error": None}, "failed", "the run ended as failed: failed"),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "length"}},
            "length",
            "incomplete: length",
        ),
        ({"status": "expired"}, "expired", "expired"),
        ({"status": "cancelled"}, "cancelled", "cancelled"),
    ],
)
def test_a_run_without_a_message_has_a_failure(
    respond_with: RespondWith, body: dict[str, Any], code: str, message: str
) -> None:
    snapshot = poll(respond_with, body)

    assert snapshot.status == body["status"]
    assert snapshot.failure is not None
    assert snapshot.failure.code == code
    assert message in snapshot.failure.message
    assert not snapshot.still_running


def test_usage_is_read_by_the_names_of_this_api_and_may_be_missing(respond_with: RespondWith) -> None:
    counts = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    usage = poll(respond_with, {"status": "completed", "usage": counts}).usage

    assert usage == Usage(input_tokens=1, output_tokens=2, total_tokens=3)
    assert poll(respond_with, {"status": "completed"}).usage == Usage()


def test_the_servers_poll_interval_becomes_the_pause(respond_with: RespondWith) -> None:
    respond_with(json_response({"id": "run_1", "status": "queued"}, openai_poll_after_ms="5000"))

    assert assistants.poll(UPSTREAM_RUN).pause_seconds == 5


def test_a_run_of_an_assistant_has_no_completion_window() -> None:
    error = FieldError("completion_window", "the assistants run API does not support it")

    assert assistants.unsupported_field(RUN) is None
    assert assistants.unsupported_field(RUN.model_copy(update={"completion_window": "2h"})) == error


def test_every_request_names_the_protocol(respond_with: RespondWith) -> None:
    requests = respond_with(json_response({"status": "queued"}))
    assistants.poll(UPSTREAM_RUN)

    assert requests[0].headers["OpenAI-Beta"] == "assistants=v2"
    assert requests[0].path == "/v1/threads/thread_1/runs/run_1"


def test_an_assistant_is_created_only_once(respond_with: RespondWith) -> None:
    thread = json_response({"id": "thread_1"})
    requests = respond_with(json_response({"data": []}), json_response({"id": "asst_1"}), thread)
    for _ in range(2):
        intent = assistants.prepare(REQUEST)

    assert intent.ids == {"assistant_id": "asst_1", "thread_id": "thread_1"}
    assert [request.path.partition("?")[0] for request in requests] == [
        "/v1/assistants",
        "/v1/assistants",
        "/v1/threads",
        "/v1/threads",
    ]
    created = requests[1].json
    assert created["tools"][0]["function"]["name"] == "fetch"
    assert requests[2].json["messages"][0]["content"] == "Go."


def test_an_assistant_of_the_same_definition_is_found_on_the_server(respond_with: RespondWith) -> None:
    thread = json_response({"id": "thread_1"})
    requests = respond_with(json_response({"data": []}), json_response({"id": "asst_1"}), thread)
    assistants.prepare(REQUEST)
    listed = [{"id": "asst_0", "metadata": {}}, {"id": "asst_1", "metadata": requests[1].json["metadata"]}]

    assistants._find_or_create_assistant.cache_clear()  # as in another process
    requests = respond_with(json_response({"data": listed}), thread)

    assert assistants.prepare(REQUEST).ids["assistant_id"] == "asst_1"
    assert [request.method for request in requests] == ["GET", "POST"]


def test_a_run_is_created_on_a_server_that_cannot_list(respond_with: RespondWith) -> None:
    requests = respond_with(text_response("Not Found", 404), json_response({"id": "run_9"}))

    assert assistants.create(REQUEST, INTENT, []).ids["run_id"] == "run_9"
    assert requests[1].json == {"assistant_id": "asst_1", "metadata": {"run_id": RUN.run_id}}


def test_a_run_that_an_earlier_try_has_created_is_used(respond_with: RespondWith) -> None:
    requests = respond_with(json_response({"data": [{"id": "run_9", "metadata": {"run_id": RUN.run_id}}]}))

    assert assistants.create(UpstreamRequest(RUN, REQUEST.assistant, []), INTENT, []).ids["run_id"] == "run_9"
    assert len(requests) == 1


def test_messages_that_an_earlier_try_has_added_to_the_thread_are_not_added_again(
    respond_with: RespondWith,
) -> None:
    roles_and_texts = [("user", "One?"), ("assistant", "One."), ("user", "Two?")]
    items = [{"role": role, "content": text} for role, text in roles_and_texts]
    run = Run.model_validate({**RUN.model_dump(), "prompt": None, "input": items})
    run = run.model_copy(update={"previous_upstream_run": UPSTREAM_RUN})
    added = {"run_id": run.run_id, "item": "0"}
    requests = respond_with(
        json_response({"data": [{"id": "asst_1"}]}),
        json_response({"id": "asst_1"}),
        json_response({"data": [{"metadata": added}]}),
        json_response({"id": "msg_1"}),
    )
    intent = assistants.prepare(UpstreamRequest(run, REQUEST.assistant, [TOOL]))

    assert intent.ids["thread_id"] == "thread_1"
    assert [request.json["content"] for request in requests[3:]] == ["One.", "Two?"]


WAITING = json_response({"id": "run_1", "status": "requires_action", "required_action": ACTION})


def submit(respond_with: RespondWith, *responses: CannedResponse) -> list[ReceivedRequest]:
    requests = respond_with(*responses)
    assert assistants.submit(REQUEST, UPSTREAM_RUN, [ANSWER]) == UPSTREAM_RUN
    return requests


def test_all_outputs_are_submitted_in_one_request(respond_with: RespondWith) -> None:
    requests = submit(respond_with, WAITING, json_response({"status": "queued"}))

    assert [request.method for request in requests] == ["GET", "POST"]
    assert requests[1].path == "/v1/threads/thread_1/runs/run_1/submit_tool_outputs"
    assert requests[1].json == {"tool_outputs": [{"tool_call_id": "c1", "output": "text"}]}


def waiting_for(**call: Any) -> dict[str, Any]:
    calls = [{**CALL, **call}]
    action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": calls}}
    return {"id": "run_1", "status": "requires_action", "required_action": action}


SUBMITTED = [
    {"id": "run_1", "status": "in_progress"},
    {"id": "run_1", "status": "completed", "required_action": None},
    waiting_for(id="c2"),
    waiting_for(function={"name": "fetch", "arguments": '{"url": "another"}'}),
    waiting_for(function={"name": "notify", "arguments": "{"}),
]
"""Runs whose outputs were submitted. Some servers use the ids of the calls again in the next round."""


@pytest.mark.parametrize("body", SUBMITTED)
def test_outputs_that_were_submitted_by_an_earlier_try_are_not_submitted_again(
    respond_with: RespondWith, body: Any
) -> None:
    requests = submit(respond_with, json_response(body))

    assert [request.method for request in requests] == ["GET"]


@pytest.mark.parametrize("body", SUBMITTED)
def test_outputs_that_are_rejected_because_an_earlier_try_has_submitted_them_meanwhile_are_submitted(
    respond_with: RespondWith, body: Any
) -> None:
    rejected = json_response({"error": {"message": "no"}}, 400)
    requests = submit(respond_with, WAITING, rejected, json_response(body))

    assert [request.method for request in requests] == ["GET", "POST", "GET"]


def test_outputs_that_are_rejected_while_the_run_waits_for_them_fail(respond_with: RespondWith) -> None:
    rejected = json_response({"error": {"message": "too long"}}, 400)

    with pytest.raises(RequestRejected, match="400: too long"):
        submit(respond_with, WAITING, rejected, WAITING)


def thread_message(text: str, run_id: str | None, role: str = "assistant") -> dict[str, Any]:
    content = [{"type": "text", "text": {"value": text, "annotations": []}}]
    return {"role": role, "run_id": run_id, "content": content}


def test_the_message_is_the_newest_of_the_run(respond_with: RespondWith) -> None:
    messages = [
        thread_message("user", None, "user"),
        thread_message("other", "run_2"),
        thread_message("Hello.", "run_1"),
        thread_message("earlier", "run_1"),
    ]
    respond_with(
        json_response({"data": messages}), json_response({"id": "run_1", "usage": {"total_tokens": 5}})
    )
    message = assistants.get_message(RUN, UPSTREAM_RUN)

    assert (message.text, message.usage.total_tokens) == ("Hello.", 5)


def test_a_refusal_is_not_text(respond_with: RespondWith) -> None:
    content = [{"type": "refusal", "refusal": "I cannot help with that."}]
    messages = [{"role": "assistant", "run_id": "run_1", "content": content}]
    respond_with(json_response({"data": messages}), json_response({"id": "run_1"}))
    message = assistants.get_message(RUN, UPSTREAM_RUN)

    assert (message.text, message.refusal) == ("", "I cannot help with that.")


@pytest.mark.parametrize("messages", [[], [thread_message("other", "run_2")], None, "text"])
def test_a_run_without_a_message_on_its_thread_has_none(respond_with: RespondWith, messages: Any) -> None:
    respond_with(json_response({"data": messages}), json_response({"id": "run_1"}))

    assert assistants.get_message(RUN, UPSTREAM_RUN).text == ""


def test_a_run_that_was_just_created_may_not_show_yet(respond_with: RespondWith) -> None:
    respond_with(json_response({"error": {"message": "No run found with id 'run_1'."}}, 404))

    with pytest.raises(TransientError) as caught:
        assistants.poll(UPSTREAM_RUN)

    assert caught.value.detail == "404: No run found with id 'run_1'."


@pytest.mark.parametrize("status", [400, 404, 409])
def test_cancel_accepts_that_the_run_has_ended(respond_with: RespondWith, status: int) -> None:
    requests = respond_with(text_response("too late", 404 if status == 404 else 400))
    assistants.cancel(UPSTREAM_RUN)

    assert requests[0].path.endswith("/cancel")


def test_options_of_the_run_are_sent_when_it_is_created(respond_with: RespondWith) -> None:
    options = {
        "instructions": "Answer in Latin.",
        "temperature": 0.0,
        "max_output_tokens": 100,
        "reasoning": Reasoning(effort="low"),
    }
    request = UpstreamRequest(RUN.model_copy(update=options), REQUEST.assistant, [])
    requests = respond_with(json_response({"data": []}), json_response({"id": "run_9"}))
    assistants.create(request, INTENT, [])

    assert requests[1].json == {
        "assistant_id": "asst_1",
        "metadata": {"run_id": RUN.run_id},
        "instructions": "Answer in Latin.",
        "temperature": 0.0,
        "max_completion_tokens": 100,
        "reasoning_effort": "low",
    }


def test_a_run_that_failed_for_a_reason_that_passes_may_be_started_again(respond_with: RespondWith) -> None:
    error = {"code": "server_error", "message": "Sorry."}

    assert poll(respond_with, {"status": "failed", "last_error": error}).repeat
    assert not poll(respond_with, {"status": "expired", "last_error": error}).repeat
    assert not poll(respond_with, {"status": "failed", "last_error": {**error, "code": "invalid"}}).repeat


@pytest.mark.parametrize(("newest", "requests_sent"), [("run_1", 2), ("run_2", 1)])
def test_another_run_is_started_on_the_thread_unless_an_earlier_try_has_done_so(
    respond_with: RespondWith, newest: str, requests_sent: int
) -> None:
    runs = {"data": [{"id": newest, "metadata": {"run_id": RUN.execution_name}}]}
    requests = respond_with(json_response(runs), json_response({"id": "run_2"}))

    repeated = assistants.repeat(REQUEST, UPSTREAM_RUN, [])

    assert repeated.ids == {**INTENT.ids, "run_id": "run_2"}
    assert len(requests) == requests_sent
