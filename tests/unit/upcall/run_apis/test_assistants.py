"""What the Assistants API says, in our words, and what is asked of it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from support.canned_server import json_answer
from werkzeug.wrappers import Response

from upcall.domain.assistants import find_assistant
from upcall.domain.errors import RequestRejected
from upcall.domain.run import Run
from upcall.domain.tool_calls import ToolDefinition, ToolOutput
from upcall.domain.upstream_run import UpstreamRun, UpstreamSnapshot
from upcall.domain.usage import Usage
from upcall.run_apis import assistants

from .conftest import Answering

HANDLE = UpstreamRun(
    run_api="assistants", ids={"assistant_id": "asst_1", "thread_id": "thread_1", "run_id": "run_1"}
)
TOOL = ToolDefinition(name="fetch", description="Fetch.", parameters={"type": "object"})
RUN = Run.new(
    prompt="Go.", assistant="summarizer", model="m", run_api="assistants", created_at=datetime.now(UTC)
)
OUTPUT = ToolOutput(call_id="c1", outcome="ok", output="text")
CALL = {"id": "c1", "type": "function", "function": {"name": "fetch", "arguments": "{"}}
ACTION = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [CALL]}}


def polled(answering: Answering, body: dict[str, Any]) -> UpstreamSnapshot:
    answering(json_answer({"id": "run_1", **body}))
    return assistants.poll(HANDLE)


@pytest.mark.parametrize("status", ["queued", "in_progress", "cancelling"])
def test_working_statuses_are_ours_too(answering: Answering, status: str) -> None:
    body = {"status": status, "usage": None, "required_action": None, "expires_at": None}
    assert polled(answering, body) == UpstreamSnapshot(status=status)


def test_required_action_has_the_calls_as_the_model_wrote_them(answering: Answering) -> None:
    snapshot = polled(answering, {"status": "requires_action", "required_action": ACTION, "usage": None})

    (call,) = snapshot.tool_calls
    assert (snapshot.status, call.call_id, call.name, call.arguments) == (
        "requires_action",
        "c1",
        "fetch",
        "{",
    )


def test_an_action_that_nobody_knows_fails_the_run_by_its_name(answering: Answering) -> None:
    snapshot = polled(answering, {"status": "requires_action", "required_action": {"type": "sign_form"}})

    assert snapshot.failure is not None
    assert snapshot.failure.code == "unsupported_action"
    assert "'sign_form'" in snapshot.failure.message


@pytest.mark.parametrize("status", ["pondering", "", None, 7])
def test_a_status_that_nobody_knows_fails_the_run_by_its_name(answering: Answering, status: Any) -> None:
    snapshot = polled(answering, {"status": status})

    assert snapshot.failure is not None
    assert snapshot.failure.code == "unknown_status"


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ({"status": "failed", "last_error": {"code": "odd", "message": "Odd."}}, "odd", "Odd."),
        ({"status": "failed", "last_error": "just words"}, "failed", "just words"),
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
def test_endings_have_their_reason(answering: Answering, body: dict[str, Any], code: str, words: str) -> None:
    snapshot = polled(answering, body)

    assert snapshot.status == body["status"]
    assert snapshot.failure is not None
    assert snapshot.failure.code == code
    assert words in snapshot.failure.message


def test_usage_has_other_names_and_may_be_missing(answering: Answering) -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    told = polled(answering, {"status": "completed", "usage": usage}).usage

    assert told == Usage(input_tokens=1, output_tokens=2, total_tokens=3)
    assert polled(answering, {"status": "completed"}).usage == Usage()


def test_the_server_wish_for_the_next_poll_is_obeyed(answering: Answering) -> None:
    answering(json_answer({"status": "queued"}, openai_poll_after_ms="5000"))

    assert assistants.poll(HANDLE).pause_seconds == 5


def test_every_request_names_the_protocol(answering: Answering) -> None:
    up = answering(json_answer({"status": "queued"}))
    assistants.poll(HANDLE)

    assert up.asked[0].headers["Openai-Beta"] == "assistants=v2"
    assert up.asked[0].path == "/threads/thread_1/runs/run_1"


def test_an_assistant_is_found_again_and_made_only_once(answering: Answering) -> None:
    empty, thread = json_answer({"data": []}), json_answer({"id": "thread_1"})
    up = answering(empty, json_answer({"id": "asst_1"}), thread)
    for _ in range(2):
        intent = assistants.prepare(RUN, find_assistant("summarizer"), [TOOL])

    assert intent.ids == {"assistant_id": "asst_1", "thread_id": "thread_1"}
    assert [asked.path.partition("?")[0] for asked in up.asked] == [
        "/assistants",
        "/assistants",
        "/threads",
        "/threads",
    ]
    made = up.asked[1].json
    assert made["tools"][0]["function"]["name"] == "fetch"
    assert up.asked[2].json["messages"][0]["content"] == "Go."


def test_a_server_that_cannot_list_still_creates(answering: Answering) -> None:
    up = answering(Response("Not Found", 404, content_type="text/plain"), json_answer({"id": "run_9"}))
    intent = UpstreamRun(run_api="assistants", ids={"assistant_id": "asst_1", "thread_id": "thread_1"})

    assert assistants.create(RUN, intent, find_assistant("summarizer"), [TOOL]).ids["run_id"] == "run_9"
    assert up.asked[1].json == {"assistant_id": "asst_1", "metadata": {"run_id": RUN.run_id}}


def test_a_run_that_an_earlier_try_has_created_is_taken(answering: Answering) -> None:
    up = answering(json_answer({"data": [{"id": "run_9", "metadata": {"run_id": RUN.run_id}}]}))
    intent = UpstreamRun(run_api="assistants", ids={"assistant_id": "asst_1", "thread_id": "thread_1"})

    assert assistants.create(RUN, intent, find_assistant("summarizer"), []).ids["run_id"] == "run_9"
    assert len(up.asked) == 1


def submitted(answering: Answering, *answers: Response) -> Any:
    up = answering(*answers)
    assistants.submit(RUN, find_assistant("summarizer"), [TOOL], HANDLE, [OUTPUT])
    return up


def test_outputs_go_in_one_request(answering: Answering) -> None:
    up = submitted(answering, json_answer({"status": "queued"}))

    assert up.asked[0].path == "/threads/thread_1/runs/run_1/submit_tool_outputs"
    assert up.asked[0].json == {"tool_outputs": [{"tool_call_id": "c1", "output": "text"}]}


@pytest.mark.parametrize(
    "body", [{"status": "in_progress"}, {"status": "completed", "required_action": None}]
)
def test_outputs_that_were_submitted_already_are_left_alone(answering: Answering, body: Any) -> None:
    submitted(answering, json_answer({"error": {"message": "no"}}, 400), json_answer(body))


def test_outputs_that_are_refused_while_they_are_waited_for_fail(answering: Answering) -> None:
    waiting = json_answer({"status": "requires_action", "required_action": ACTION})
    with pytest.raises(RequestRejected, match="400: too long"):
        submitted(answering, json_answer({"error": {"message": "too long"}}, 400), waiting)


def test_the_message_is_the_newest_one_of_the_run(answering: Answering) -> None:
    def message(text: str, run_id: str | None, role: str = "assistant") -> Any:
        content = [{"type": "text", "text": {"value": text, "annotations": []}}]
        return {"role": role, "run_id": run_id, "content": content}

    listed = [message("other", "run_2"), message("Hello.", "run_1"), message("earlier", "run_1")]
    listed.insert(0, message("user", None, "user"))
    answering(json_answer({"data": listed}), json_answer({"usage": {"total_tokens": 5}}))
    told = assistants.message(HANDLE)

    assert (told.text, told.usage.total_tokens) == ("Hello.", 5)


@pytest.mark.parametrize("status", [400, 404, 409])
def test_cancel_leaves_what_has_ended_as_it_is(answering: Answering, status: int) -> None:
    up = answering(Response("too late", 404 if status == 404 else 400, content_type="text/plain"))
    assistants.cancel(HANDLE)

    assert up.asked[0].path.endswith("/cancel")
