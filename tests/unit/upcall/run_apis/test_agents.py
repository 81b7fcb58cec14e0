"""What the Agents API says, in our words, and what is asked of it."""

import hashlib
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
from upcall.run_apis import agents

from .conftest import Answering

AGENT = "summarizer on m"
TOOL = ToolDefinition(name="fetch", description="Fetch.", parameters={"type": "object"})
RUN = Run.new(prompt="Go.", assistant="summarizer", model="m", run_api="agents", created_at=datetime.now(UTC))
KEY = f"{RUN.run_id}:{hashlib.sha256(b'c1 c2').hexdigest()}"
CALL = {
    "type": "function_call",
    "turn_id": "turn_1",
    "call_id": "c1",
    "name": "fetch",
    "arguments": {"a": "ä"},
}


def handle(after: str = "", answered: str = "") -> UpstreamRun:
    ids = {"session_id": "sess_1", "agent": AGENT, "after": after, "answered": answered}
    return UpstreamRun(run_api="agents", ids=ids)


def polled(answering: Answering, session: Any, turn: Any, at: UpstreamRun | None = None) -> UpstreamSnapshot:
    turns = {"data": [{"id": "turn_1", **turn}] if turn else []}
    answering(json_answer({"id": "sess_1", **session}), json_answer(turns))
    return agents.poll(at or handle())


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_a_turn_at_work_is_at_work(answering: Answering, status: str) -> None:
    assert polled(answering, {"status": "in_progress"}, {"status": status}) == UpstreamSnapshot(status=status)


def test_idle_is_not_success_the_turn_decides(answering: Answering) -> None:
    turn = {"status": "failed", "error": {"code": "server_overloaded", "message": "Busy."}}
    snapshot = polled(answering, {"status": "idle"}, turn)

    assert snapshot.failure is not None
    assert (snapshot.status, snapshot.failure.code) == ("failed", "server_overloaded")
    assert polled(answering, {"status": "idle"}, {"status": "completed"}).status == "completed"
    assert polled(answering, {"status": "idle"}, {"status": "cancelled"}).status == "cancelled"


def test_a_session_that_failed_says_so_in_a_string(answering: Answering) -> None:
    snapshot = polled(answering, {"status": "failed", "error": "The session is gone."}, None)

    assert snapshot.failure is not None
    assert snapshot.failure.message == "The session is gone."


@pytest.mark.parametrize("arguments", [{"a": "ä"}, '{"a": "ä"}'])
def test_arguments_come_as_an_object_or_as_text(answering: Answering, arguments: Any) -> None:
    session = {"status": "requires_action", "required_actions": [{**CALL, "arguments": arguments}]}
    snapshot = polled(answering, session, {"status": "waiting"})

    assert (snapshot.status, snapshot.tool_calls[0].arguments) == ("requires_action", '{"a": "ä"}')


def test_calls_that_were_answered_and_still_show_are_not_asked_again(answering: Answering) -> None:
    session = {"status": "requires_action", "required_actions": [CALL]}
    snapshot = polled(answering, session, {"status": "waiting"}, at=handle(answered="c1"))

    assert snapshot.status == "in_progress"
    both = {"status": "requires_action", "required_actions": [CALL, {**CALL, "call_id": "c2"}]}
    snapshot = polled(answering, both, {"status": "waiting"}, at=handle(answered="c1"))
    assert [call.call_id for call in snapshot.tool_calls] == ["c2"]


def test_an_action_that_nobody_knows_fails_the_run_by_its_name(answering: Answering) -> None:
    session = {"status": "requires_action", "required_actions": [{"type": "mcp_approval_request"}]}
    snapshot = polled(answering, session, {"status": "waiting"})

    assert snapshot.failure is not None
    assert (snapshot.status, snapshot.failure.code) == ("failed", "unsupported_action")
    assert "'mcp_approval_request'" in snapshot.failure.message


def test_a_status_that_nobody_knows_fails_the_run_by_its_name(answering: Answering) -> None:
    snapshot = polled(answering, {"status": "in_progress"}, {"status": "dreaming"})

    assert snapshot.failure is not None
    assert snapshot.failure.code == "unknown_status"


def test_the_turn_of_the_run_before_is_not_the_runs(answering: Answering) -> None:
    snapshot = polled(answering, {"status": "idle"}, {"status": "completed"}, at=handle(after="turn_1"))

    assert snapshot.status == "queued"


def test_creation_is_a_session_without_environment_and_without_strict(answering: Answering) -> None:
    up = answering(json_answer({"id": "sess_1"}))
    intent = agents.prepare(RUN, find_assistant("summarizer"), [TOOL])
    made = agents.create(RUN, intent, find_assistant("summarizer"), [TOOL])

    assert made.ids["session_id"] == "sess_1"
    (asked,) = up.asked
    assert asked.headers["Openai-Beta"] == "agents=v1"
    sent = asked.json
    assert (sent["environment"], sent["input"], sent["metadata"]) == (
        {"type": "none"},
        "Go.",
        {"run_id": RUN.run_id},
    )
    assert set(sent["agent"]["tools"][0]) == {"type", "name", "description", "parameters"}


def test_a_session_does_not_change_its_agent(answering: Answering) -> None:
    answering(json_answer({"data": []}))
    other = RUN.model_copy(update={"model": "other", "previous": handle()})

    with pytest.raises(RequestRejected, match="stays with summarizer on m"):
        agents.prepare(other, find_assistant("summarizer"), [TOOL])


def submitted(answering: Answering, *answers: Response) -> Any:
    up = answering(json_answer({"data": [{"id": "turn_1"}]}), *answers)
    good = ToolOutput(call_id="c1", outcome="ok", output="text")
    bad = ToolOutput(call_id="c2", outcome="error", output="no")
    at = agents.submit(RUN, find_assistant("summarizer"), [TOOL], handle(), [good, bad])
    assert at.ids["answered"] == "c1 c2"
    return up


@pytest.mark.parametrize("status", [202, 204])
def test_results_go_in_one_request_under_one_key(answering: Answering, status: int) -> None:
    up = submitted(answering, Response(status=status))

    asked = up.asked[1]
    assert asked.headers["Idempotency-Key"] == KEY
    kind = {"type": "agent.session.input.tool_result", "turn_id": "turn_1"}
    assert asked.json == {
        "events": [
            {**kind, "call_id": "c1", "success": True, "output": "text"},
            {**kind, "call_id": "c2", "success": False, "error": "no"},
        ]
    }


def test_the_key_of_calls_with_any_ids_can_stand_in_a_header() -> None:
    key = agents._key(RUN, ["ä\n", "x" * 250, "c3"])

    assert key.isascii()
    assert key.isprintable()
    assert len(key) <= 255
    assert key != agents._key(RUN, ["ä\n", "x" * 250, "c4"])


def test_a_result_that_came_too_early_is_sent_again_under_the_same_key(answering: Answering) -> None:
    early = json_answer({"error": {"message": "Unknown pending tool call: c1"}}, 400)
    up = submitted(answering, early, json_answer({"required_actions": [CALL]}), Response(status=202))

    assert [asked.headers.get("Idempotency-Key") for asked in up.asked[1::2]] == [KEY] * 2


def test_results_that_were_taken_already_are_left_alone(answering: Answering) -> None:
    refused = json_answer({"error": {"message": "Unknown pending tool call: c1"}}, 400)
    submitted(answering, refused, json_answer({"required_actions": []}))


def test_results_that_are_refused_for_good_fail(answering: Answering) -> None:
    with pytest.raises(RequestRejected, match="400: no"):
        answers = [json_answer({"error": {"message": "no"}}, 400), json_answer({"required_actions": [CALL]})]
        submitted(answering, *(answers * 4))


def test_the_message_is_the_turns_without_commentary_over_all_pages(answering: Answering) -> None:
    def item(text: str, **fields: Any) -> Any:
        content = [{"type": "output_text", "text": text}]
        return {
            "id": text,
            "type": "message",
            "role": "assistant",
            "turn_id": "turn_1",
            "content": content,
            **fields,
        }

    first = [item("old", turn_id="turn_0"), item("hm", phase="commentary"), item("you", role="user")]
    up = answering(
        json_answer({"data": [{"id": "turn_1", "usage": {"total_tokens": 7}}]}),
        json_answer({"data": first, "has_more": True}),
        json_answer({"data": [item("Hello "), item("there.", phase="final_answer")], "has_more": False}),
    )
    told = agents.message(handle())

    assert (told.text, told.usage.total_tokens) == ("Hello there.", 7)
    assert "after=you" in up.asked[2].path


def test_cancel_asks_for_it_and_leaves_what_has_ended(answering: Answering) -> None:
    up = answering(json_answer({"error": {"message": "idle"}}, 400))
    agents.cancel(handle())

    assert up.asked[0].json == {"events": [{"type": "agent.session.input.cancel"}]}
