"""The Agents API: how its sessions and turns are parsed, and the requests that it gets."""

import time
from typing import Any

import pytest
from support.run_records import new_run

from upcall.domain.assistants import find_assistant
from upcall.domain.errors import FieldError, RequestRejected, TransientError
from upcall.domain.run_request import Reasoning
from upcall.domain.tool_calls import LedgerEntry, ToolCall, ToolDefinition, ToolOutput
from upcall.domain.upstream_run import UpstreamRun, UpstreamSnapshot
from upcall.run_apis import agents
from upcall.run_apis.base import UpstreamRequest

from .conftest import CannedResponse, ReceivedRequest, RespondWith, json_response

AGENT = "summarizer on m"
TOOL = ToolDefinition(name="fetch", description="Fetch.", parameters={"type": "object"})
RUN = new_run(owner="ann", run_api="agents")
REQUEST = UpstreamRequest(RUN, find_assistant("summarizer"), [TOOL])
IDEMPOTENCY_KEY = f"{RUN.run_id}:1"
CALL = {
    "type": "function_call",
    "turn_id": "turn_1",
    "call_id": "c1",
    "name": "fetch",
    "arguments": {"a": "ä"},
}
ANSWERED = ToolCall(call_id="c1", name="fetch", arguments='{"a": "ä"}').fingerprint
UNKNOWN_CALL = json_response({"error": {"message": "Unknown pending tool call: c1"}}, 400)
ACCEPTED = CannedResponse(status=202)


@pytest.fixture(autouse=True)
def _without_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents, "SUBMIT_PAUSE_SECONDS", 0)


def upstream_run(after: str = "", answered: str = "", seconds_ago: int = 0) -> UpstreamRun:
    ids = {
        "session_id": "sess_1",
        "agent": AGENT,
        "after": after,
        "answered": answered,
        "answered_at": str(int(time.time()) - seconds_ago),
    }
    return UpstreamRun(run_api="agents", ids=ids)


def poll(
    respond_with: RespondWith, session: Any, turn: Any, run: UpstreamRun | None = None
) -> UpstreamSnapshot:
    turns = {"data": [{"id": "turn_1", **turn}] if turn else []}
    respond_with(json_response({"id": "sess_1", **session}), json_response(turns))
    return agents.poll(run or upstream_run())


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_a_working_turn_has_the_same_status(respond_with: RespondWith, status: str) -> None:
    snapshot = poll(respond_with, {"status": "in_progress"}, {"status": status})

    assert snapshot == UpstreamSnapshot.model_validate({"status": status})


def test_the_newest_turn_decides_the_status_of_an_idle_session(respond_with: RespondWith) -> None:
    turn = {"status": "failed", "error": {"code": "server_overloaded", "message": "Busy."}}
    snapshot = poll(respond_with, {"status": "idle"}, turn)

    assert snapshot.failure is not None
    assert (snapshot.status, snapshot.failure.code) == ("failed", "server_overloaded")
    assert poll(respond_with, {"status": "idle"}, {"status": "completed"}).status == "completed"
    assert poll(respond_with, {"status": "idle"}, {"status": "cancelled"}).status == "cancelled"


def test_a_failed_session_has_its_error_as_a_string(respond_with: RespondWith) -> None:
    snapshot = poll(respond_with, {"status": "failed", "error": "The session is gone."}, None)

    assert snapshot.failure is not None
    assert snapshot.failure.message == "The session is gone."


def test_a_session_without_a_turn_of_the_run_is_queued(respond_with: RespondWith) -> None:
    assert poll(respond_with, {"status": "in_progress"}, None).status == "queued"


@pytest.mark.parametrize("arguments", [{"a": "ä"}, '{"a": "ä"}'])
def test_arguments_may_be_an_object_or_text(respond_with: RespondWith, arguments: Any) -> None:
    session = {"status": "requires_action", "required_actions": [{**CALL, "arguments": arguments}]}
    snapshot = poll(respond_with, session, {"status": "waiting"})

    assert (snapshot.status, snapshot.tool_calls[0].arguments) == ("requires_action", '{"a": "ä"}')


def test_answered_calls_that_are_still_listed_are_left_out(respond_with: RespondWith) -> None:
    session = {"status": "requires_action", "required_actions": [CALL]}
    snapshot = poll(respond_with, session, {"status": "waiting"}, upstream_run(answered=ANSWERED))

    assert snapshot.status == "in_progress"
    both = {"status": "requires_action", "required_actions": [CALL, {**CALL, "call_id": "c2"}]}
    snapshot = poll(respond_with, both, {"status": "waiting"}, upstream_run(answered=ANSWERED))
    assert [call.call_id for call in snapshot.tool_calls] == ["c2"]


@pytest.mark.parametrize("changes", [{"arguments": {"a": "b"}}, {"name": "notify"}, {"arguments": None}])
def test_a_call_with_the_id_of_an_answered_call_and_other_arguments_is_new(
    respond_with: RespondWith, changes: dict[str, Any]
) -> None:
    session = {"status": "requires_action", "required_actions": [{**CALL, **changes}]}
    snapshot = poll(respond_with, session, {"status": "waiting"}, upstream_run(answered=ANSWERED))

    assert [call.call_id for call in snapshot.tool_calls] == ["c1"]


def test_a_session_that_lists_answered_calls_for_too_long_ends_the_run_with_a_reason(
    respond_with: RespondWith,
) -> None:
    session = {"status": "requires_action", "required_actions": [CALL]}
    almost = upstream_run(answered=ANSWERED, seconds_ago=int(agents.MAX_STALE_SECONDS) - 5)
    assert poll(respond_with, session, {"status": "waiting"}, almost).status == "in_progress"
    snapshot = poll(
        respond_with,
        session,
        {"status": "waiting"},
        upstream_run(answered=ANSWERED, seconds_ago=int(agents.MAX_STALE_SECONDS) + 1),
    )

    assert snapshot.failure is not None
    assert (snapshot.status, snapshot.failure.code) == ("failed", "call_id")
    assert "calls that were answered, with the same ids" in snapshot.failure.message
    assert snapshot.still_running


def test_new_calls_beside_answered_ones_are_called_however_long_those_are_listed(
    respond_with: RespondWith,
) -> None:
    session = {"status": "requires_action", "required_actions": [CALL, {**CALL, "call_id": "c2"}]}
    run = upstream_run(answered=ANSWERED, seconds_ago=1000)
    snapshot = poll(respond_with, session, {"status": "waiting"}, run)

    assert [call.call_id for call in snapshot.tool_calls] == ["c2"]


def test_an_action_may_have_its_id_in_place_of_that_of_the_call(respond_with: RespondWith) -> None:
    for missing in (None, ""):
        session = {
            "status": "requires_action",
            "required_actions": [{**CALL, "call_id": missing, "id": "fc_1"}],
        }
        snapshot = poll(respond_with, session, {"status": "waiting"})
        assert [call.call_id for call in snapshot.tool_calls] == ["fc_1"]


def test_a_session_that_was_just_created_may_not_show_yet(respond_with: RespondWith) -> None:
    respond_with(json_response({"error": {"message": "No session found with id 'sess_1'."}}, 404))

    with pytest.raises(TransientError) as caught:
        agents.poll(upstream_run())

    assert caught.value.detail == "404: No session found with id 'sess_1'."


def test_an_unsupported_action_stops_the_run_and_is_named(respond_with: RespondWith) -> None:
    session = {"status": "requires_action", "required_actions": [{"type": "mcp_approval_request"}]}
    snapshot = poll(respond_with, session, {"status": "waiting"})

    assert snapshot.failure is not None
    assert (snapshot.status, snapshot.failure.code) == ("failed", "unsupported_action")
    assert "'mcp_approval_request'" in snapshot.failure.message
    assert snapshot.still_running


def test_an_unknown_status_stops_the_run_and_is_named(respond_with: RespondWith) -> None:
    snapshot = poll(respond_with, {"status": "in_progress"}, {"status": "dreaming"})

    assert snapshot.failure is not None
    assert snapshot.failure.code == "unknown_status"
    assert "'dreaming'" in snapshot.failure.message
    assert snapshot.still_running


def test_the_turn_of_the_previous_run_is_not_that_of_the_run(respond_with: RespondWith) -> None:
    snapshot = poll(respond_with, {"status": "idle"}, {"status": "completed"}, upstream_run(after="turn_1"))

    assert snapshot.status == "queued"


def test_a_session_is_created_without_environment_and_without_strict(respond_with: RespondWith) -> None:
    requests = respond_with(json_response({"id": "sess_1"}))
    intent = agents.prepare(REQUEST)
    created = agents.create(REQUEST, intent, [])

    assert created.ids["session_id"] == "sess_1"
    (request,) = requests
    assert request.path == "/v1/agents/sessions"
    assert request.headers["OpenAI-Beta"] == "agents=v1"
    body = request.json
    assert (body["environment"], body["input"], body["metadata"]) == (
        {"type": "none"},
        "Go.",
        {"run_id": RUN.run_id},
    )
    assert set(body["agent"]["tools"][0]) == {"type", "name", "description", "parameters"}


def test_a_run_that_continues_a_session_adds_a_turn_under_an_idempotency_key(
    respond_with: RespondWith,
) -> None:
    run = RUN.model_copy(update={"previous_upstream_run": upstream_run()})
    request = UpstreamRequest(run, REQUEST.assistant, [TOOL])
    requests = respond_with(json_response({"data": [{"id": "turn_1"}]}), ACCEPTED)
    intent = agents.prepare(request)
    created = agents.create(request, intent, [])

    assert created.ids == {
        "session_id": "sess_1",
        "agent": AGENT,
        "after": "turn_1",
        "answered": "",
        "answered_at": "0",
    }
    assert requests[1].path == "/v1/agents/sessions/sess_1/events"
    assert requests[1].headers["Idempotency-Key"] == RUN.run_id
    (event,) = requests[1].json["events"]
    assert event["input"] == [{"role": "user", "content": [{"type": "input_text", "text": "Go."}]}]


def test_a_session_keeps_its_agent(respond_with: RespondWith) -> None:
    respond_with(json_response({"data": []}))
    run = RUN.model_copy(update={"model": "other", "previous_upstream_run": upstream_run()})

    with pytest.raises(RequestRejected, match="keeps summarizer on m; summarizer on other cannot") as caught:
        agents.prepare(UpstreamRequest(run, REQUEST.assistant, [TOOL]))

    assert caught.value.code == "another_agent"


def answer(position: int, output: ToolOutput) -> LedgerEntry:
    call = ToolCall(call_id=output.call_id, name="fetch", arguments='{"a": "ä"}')
    return LedgerEntry(round=1, position=position, call=call, output=output)


def submit(
    respond_with: RespondWith,
    *responses: CannedResponse,
    call_ids: tuple[str, str] = ("c1", "c2"),
    request: UpstreamRequest = REQUEST,
) -> list[ReceivedRequest]:
    requests = respond_with(json_response({"data": [{"id": "turn_1"}]}), *responses)
    answers = [
        answer(1, ToolOutput(call_id=call_ids[0], outcome="ok", output="text")),
        answer(2, ToolOutput(call_id=call_ids[1], outcome="error", output="no")),
    ]
    submitted = agents.submit(request, upstream_run(), answers)
    assert submitted.ids["answered"] == " ".join(each.call.fingerprint for each in answers)
    assert time.time() - int(submitted.ids["answered_at"]) < 5
    return requests


@pytest.mark.parametrize("status", [202, 204])
def test_all_outputs_are_submitted_in_one_request_with_an_idempotency_key(
    respond_with: RespondWith, status: int
) -> None:
    request = submit(respond_with, CannedResponse(status=status))[1]

    assert request.headers["Idempotency-Key"] == IDEMPOTENCY_KEY
    fields = {"type": "agent.session.input.tool_result", "turn_id": "turn_1"}
    assert request.json == {
        "events": [
            {**fields, "call_id": "c1", "success": True, "output": "text"},
            {**fields, "call_id": "c2", "success": False, "error": "no"},
        ]
    }


def test_the_idempotency_key_is_a_valid_header_whatever_the_ids_of_the_calls(
    respond_with: RespondWith,
) -> None:
    second_round = UpstreamRequest(RUN.model_copy(update={"round": 1}), REQUEST.assistant, [TOOL])
    first, repeated, other = (
        submit(respond_with, ACCEPTED, call_ids=("ä\n", "x" * 250), request=request)[1].headers[
            "Idempotency-Key"
        ]
        for request in (REQUEST, REQUEST, second_round)
    )

    assert first.isascii()
    assert first.isprintable()
    assert len(first) <= 255
    assert first == repeated
    assert first != other, "ids may be those of the round before"


def test_outputs_that_come_too_early_are_submitted_again_with_the_same_key(respond_with: RespondWith) -> None:
    waiting = json_response({"required_actions": [CALL]})
    requests = submit(respond_with, UNKNOWN_CALL, waiting, ACCEPTED)

    assert [request.headers.get("Idempotency-Key") for request in requests[1::2]] == [IDEMPOTENCY_KEY] * 2


def test_outputs_that_were_submitted_by_an_earlier_try_are_not_submitted_again(
    respond_with: RespondWith,
) -> None:
    requests = submit(respond_with, UNKNOWN_CALL, json_response({"required_actions": []}))

    assert [request.method for request in requests] == ["GET", "POST", "GET"]


def test_outputs_that_are_rejected_every_time_fail(respond_with: RespondWith) -> None:
    rejected = json_response({"error": {"message": "no"}}, 400)
    waiting = json_response({"required_actions": [CALL]})

    with pytest.raises(RequestRejected, match="400: no"):
        submit(respond_with, *([rejected, waiting] * agents.SUBMIT_TRIES))


def item(text: str, **fields: Any) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text}]
    message = {"id": text, "type": "message", "role": "assistant", "turn_id": "turn_1", "content": content}
    return {**message, **fields}


def test_the_message_is_the_text_of_the_newest_turn_without_commentary_on_all_pages(
    respond_with: RespondWith,
) -> None:
    first_page = [item("old", turn_id="turn_0"), item("hm", phase="commentary"), item("you", role="user")]
    requests = respond_with(
        json_response({"data": [{"id": "turn_1", "usage": {"total_tokens": 7}}]}),
        json_response({"data": first_page, "has_more": True}),
        json_response({"data": [item("Hello"), item("there.", phase="final_answer")], "has_more": False}),
    )
    message = agents.get_message(RUN, upstream_run())

    assert (message.text, message.usage.total_tokens) == ("Hello\n\nthere.", 7)
    assert "after=you" in requests[2].path


def test_a_session_with_endless_pages_is_rejected(
    respond_with: RespondWith, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agents, "MAX_PAGES", 3)
    requests = respond_with(
        json_response({"data": [{"id": "turn_1"}]}), json_response({"data": [item("x")], "has_more": True})
    )

    with pytest.raises(RequestRejected, match="more than 3 pages"):
        agents.get_message(RUN, upstream_run())

    assert len(requests) == 4


def test_cancel_sends_the_event_and_accepts_that_the_turn_has_ended(respond_with: RespondWith) -> None:
    requests = respond_with(json_response({"error": {"message": "idle"}}, 400))
    agents.cancel(upstream_run())

    assert requests[0].json == {"events": [{"type": "agent.session.input.cancel"}]}


def test_instructions_and_reasoning_of_the_run_are_those_of_its_agent(respond_with: RespondWith) -> None:
    options = {"instructions": "Answer in Latin.", "reasoning": Reasoning(effort="low")}
    request = UpstreamRequest(RUN.model_copy(update=options), REQUEST.assistant, [TOOL])
    requests = respond_with(json_response({"id": "sess_1"}))
    created = agents.create(request, agents.prepare(request), [])

    agent = requests[0].json["agent"]
    assert (agent["instructions"], agent["reasoning"]) == ("Answer in Latin.", {"effort": "low"})
    follow_up = RUN.model_copy(update={"previous_upstream_run": created})
    with pytest.raises(RequestRejected, match="keeps summarizer on m with own settings"):
        agents.prepare(UpstreamRequest(follow_up, REQUEST.assistant, [TOOL]))
    respond_with(json_response({"data": []}))
    assert (
        agents.prepare(UpstreamRequest(follow_up.model_copy(update=options), REQUEST.assistant, [TOOL])).ids[
            "session_id"
        ]
        == "sess_1"
    )


@pytest.mark.parametrize(
    ("field", "value"), [("temperature", 0.0), ("max_output_tokens", 1), ("completion_window", "2h")]
)
def test_an_agent_has_no_such_option(field: str, value: float | str) -> None:
    expected = FieldError(field, "the agents run API does not support it")
    assert agents.unsupported_field(RUN.model_copy(update={field: value})) == expected


FAILED_TURN = {"status": "failed", "error": {"code": "server_error", "message": "Sorry."}}


def test_a_turn_that_failed_for_a_reason_that_passes_may_be_started_again(respond_with: RespondWith) -> None:
    assert poll(respond_with, {"status": "idle"}, FAILED_TURN).repeat
    assert not poll(respond_with, {"status": "failed", "error": "server_error"}, FAILED_TURN).repeat


def test_a_new_turn_has_the_same_messages_and_an_idempotency_key_of_its_own(
    respond_with: RespondWith,
) -> None:
    requests = respond_with(json_response({"data": [{"id": "turn_1", **FAILED_TURN}]}), ACCEPTED)

    failed = upstream_run()
    repeated = agents.repeat(REQUEST, failed, [])

    assert repeated.ids == {**failed.ids, "after": "turn_1"}
    (event,) = requests[1].json["events"]
    assert event["input"] == [{"role": "user", "content": [{"type": "input_text", "text": "Go."}]}]
    assert requests[1].headers["Idempotency-Key"] == f"{RUN.execution_name}:turn_1"


def test_a_turn_that_an_earlier_try_has_started_is_not_started_again(respond_with: RespondWith) -> None:
    turns = [{"id": "turn_2", "status": "queued"}, {"id": "turn_1", **FAILED_TURN}]
    requests = respond_with(json_response({"data": turns}))

    failed = upstream_run()
    assert agents.repeat(REQUEST, failed, []).ids == {**failed.ids, "after": "turn_1"}
    assert len(requests) == 1
