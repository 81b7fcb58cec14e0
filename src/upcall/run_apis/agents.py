"""The Agents API (beta): sessions and turns.

A session that is `idle` may have succeeded or failed: the outcome is that of its newest turn. Inputs are
events. A 202 means accepted, not applied, so a session may show required actions for a while after they were
answered. Events take an idempotency key, which makes them safe to repeat.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from upcall.domain.errors import FieldError, RequestRejected
from upcall.domain.failure import Failure
from upcall.domain.message_text import TextDelta
from upcall.domain.run import Run
from upcall.domain.status import Status
from upcall.domain.tool_calls import LedgerEntry, ToolOutput
from upcall.domain.upstream_run import Message, UpstreamRun, UpstreamSnapshot
from upcall.domain.usage import Usage
from upcall.run_apis import client
from upcall.run_apis.base import UpstreamRequest
from upcall.run_apis.client import parse_id
from upcall.run_apis.parsing import (
    is_passing,
    parse_failure,
    parse_message,
    parse_objects,
    parse_tool_calls,
    parse_usage,
    unknown_status,
    unsupported_action,
)

HEADERS = {"OpenAI-Beta": "agents=v1"}

STATUSES: Mapping[str, Status] = {
    "queued": "queued",
    "in_progress": "in_progress",
    "waiting": "requires_action",
    "completed": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
}
"""A turn's statuses to ours. A status that is not listed fails the run and is named in the failure."""

SUBMIT_TRIES = 4
SUBMIT_PAUSE_SECONDS = 0.25
"""A result that comes too early is rejected; it is repeated with the same idempotency key."""

MAX_STALE_SECONDS = 60.0
"""How long a session may list calls that were answered. If it lists them for longer, it means new calls."""

MAX_PAGES = 100
"""Of 100 items. A server that always says that there is more would be asked until the function times out."""


def unsupported_field(run: Run) -> FieldError | None:
    """The first field that an agent or a session does not have. A session takes items of the user only."""
    for field in ("response_format", "temperature", "max_output_tokens", "completion_window"):
        if getattr(run, field) is not None:
            return FieldError(field, "the agents run API does not support it")
    if run.stream:
        return FieldError("stream", "the agents run API does not support it; responses does")
    if any(item.role != "user" for item in run.items):
        return FieldError("input", "the agents run API takes items of the user only")
    return None


def has_completion_window() -> bool:
    """Only a background response has one."""
    return False


def can_resume_after_tool_calls() -> bool:
    """The session holds the calls and their outputs."""
    return True


def can_repeat_after_tool_calls() -> bool:
    """A new turn gets the messages of the user again, and may call the same tools again."""
    return False


def conversation_to_retry_in(run: Run) -> UpstreamRun | None:
    """The session of the failed attempt, if there is one."""
    return run.upstream_run or run.previous_upstream_run


def prepare(request: UpstreamRequest) -> UpstreamRun:
    """The session that the run continues, and its newest turn: the run's own turn is the one after that.

    A session keeps the agent that it was created with. A run that wants another one is rejected.
    """
    run = request.run
    agent = _agent_name(request)
    previous = run.previous_upstream_run
    if previous is None:
        return _session("", agent)
    if previous.ids["agent"] != agent:
        message = f"a session of the Agents API keeps {previous.ids['agent']}; {agent} cannot continue it"
        raise RequestRejected(message, code="another_agent")
    session_id = previous.ids["session_id"]
    newest = _get_turn(_session(session_id, agent)) or {}
    return _session(session_id, agent, after=parse_id(newest) if newest else "")


def create(request: UpstreamRequest, intent: UpstreamRun, _: Sequence[LedgerEntry]) -> UpstreamRun:
    """Start a session, or a new turn of the session of the run that it continues."""
    run = request.run
    if session_id := intent.ids["session_id"]:
        _post_messages(run, session_id, idempotency_key=run.execution_name)
        return intent
    agent: dict[str, Any] = {"model": run.model, "instructions": request.instructions}
    if run.reasoning is not None:
        agent["reasoning"] = run.reasoning.model_dump()
    if request.tools:
        agent["tools"] = [{"type": "function", **tool.model_dump()} for tool in request.tools]
    body = {
        "agent": agent,
        "environment": {"type": "none"},
        "input": run.prompt or _messages(run),
        "metadata": {"run_id": run.run_id},
    }
    return _session(client.post("/agents/sessions", body, headers=HEADERS).id, intent.ids["agent"])


def repeat(request: UpstreamRequest, failed: UpstreamRun, _: Sequence[LedgerEntry]) -> UpstreamRun:
    """Start a new turn of the session with the same messages, unless an earlier try has done so."""
    session_id = failed.ids["session_id"]
    turns = _list_turns(failed, 2)
    newest = turns[0] if turns else {}
    if STATUSES.get(str(newest.get("status"))) == "failed":
        turn_id = parse_id(newest)
        key = f"{request.run.execution_name}:{turn_id}"
        _post_messages(request.run, session_id, idempotency_key=key)
    else:
        turn_id = parse_id(turns[-1] if turns else {})
    return UpstreamRun(run_api="agents", ids={**failed.ids, "after": turn_id})


def poll(upstream_run: UpstreamRun) -> UpstreamSnapshot:
    """The status of the session's newest turn."""
    response = client.get(_path(upstream_run), headers=HEADERS, must_exist=True)
    session = response.body
    pause_seconds = response.poll_after_seconds or 0
    if session.get("status") == "failed":
        failure = parse_failure("failed", session.get("error"))
        return UpstreamSnapshot.failed(failure, parse_usage(session.get("usage")))
    turn = _get_turn(upstream_run)
    if turn is None:  # accepted, and not started yet
        return UpstreamSnapshot(status="queued", pause_seconds=pause_seconds)
    usage = parse_usage(turn.get("usage"))
    raw_status = str(turn.get("status"))
    if raw_status not in STATUSES:
        return unknown_status(raw_status, usage)
    status = STATUSES[raw_status]
    if status in ("failed", "cancelled"):
        failure = parse_failure(status, turn.get("error"))
        return UpstreamSnapshot.failed(failure, usage, repeat=is_passing(failure))
    if status == "completed":
        return UpstreamSnapshot(status=status, usage=usage)
    if required := _required_action(upstream_run, session):
        return required
    if status == "requires_action":  # its actions are all answered, and not applied yet
        status = "in_progress"
    return UpstreamSnapshot(status=status, pause_seconds=pause_seconds)


def stream_text(_: UpstreamRun, after: int | None, seconds: float) -> Iterator[TextDelta]:  # noqa: ARG001
    """Nothing: `unsupported_field` rejects runs that are to be streamed."""
    return iter(())


def submit(
    request: UpstreamRequest, upstream_run: UpstreamRun, answers: Sequence[LedgerEntry]
) -> UpstreamRun:
    """Submit the outputs of a turn's calls in one request. The returned ids name the answered calls."""
    turn = _get_turn(upstream_run) or {}
    events = [_tool_result(str(turn.get("id")), answer.output) for answer in answers]
    call_ids = {answer.call.call_id for answer in answers}
    key = f"{request.run.execution_name}:{request.run.round + 1}"
    for tries_left in reversed(range(SUBMIT_TRIES)):
        try:
            _post_events(upstream_run.ids["session_id"], events, idempotency_key=key)
            break
        except RequestRejected:
            session = client.get(_path(upstream_run), headers=HEADERS).body
            if not call_ids & {str(action.get("call_id")) for action in _actions(session)}:
                break  # an earlier try has submitted them
            if not tries_left:
                raise
            time.sleep(SUBMIT_PAUSE_SECONDS)
    answered = " ".join(answer.call.fingerprint for answer in answers)
    ids = {**upstream_run.ids, "answered": answered, "answered_at": str(int(time.time()))}
    return UpstreamRun(run_api="agents", ids=ids)


def get_message(run: Run, upstream_run: UpstreamRun) -> Message:
    """The final text of the newest turn without commentary, with the tokens of the whole turn."""
    turn = _get_turn(upstream_run) or {}
    contents = [
        item.get("content")
        for item in _get_items(upstream_run.ids["session_id"])
        if item.get("type") == "message"
        and item.get("role") == "assistant"
        and item.get("turn_id") == turn.get("id")
        and item.get("phase") != "commentary"
    ]
    return parse_message(run, contents, parse_usage(turn.get("usage")))


def webhook_id(upstream_run: UpstreamRun) -> str | None:
    """The session: `agent.session.action_required` and the like name it."""
    return upstream_run.ids["session_id"]


def cancel(upstream_run: UpstreamRun) -> None:
    """Cancel the session's turn."""
    with suppress(RequestRejected):
        _post_events(upstream_run.ids["session_id"], [{"type": "agent.session.input.cancel"}])


def _agent_name(request: UpstreamRequest) -> str:
    """The assistant and the model, and a digest of the run's own instructions and reasoning."""
    run = request.run
    name = f"{request.assistant.name} on {run.model}"
    if run.instructions is None and run.reasoning is None:
        return name
    own = json.dumps([run.instructions, run.reasoning and run.reasoning.effort])
    return f"{name} with own settings {hashlib.sha256(own.encode()).hexdigest()[:8]}"


def _session(session_id: str, agent: str, after: str = "") -> UpstreamRun:
    """A run in a session: in the turn that follows the turn `after`.

    `answered` are fingerprints of the calls of the last round, `answered_at` is the time in Unix seconds.
    """
    ids = {"session_id": session_id, "agent": agent, "after": after, "answered": "", "answered_at": "0"}
    return UpstreamRun(run_api="agents", ids=ids)


def _required_action(upstream_run: UpstreamRun, session: Mapping[str, Any]) -> UpstreamSnapshot | None:
    """The calls that the session waits for, without those that were answered and are still listed."""
    actions = _actions(session)
    for action in actions:
        if action.get("type") != "function_call":
            return unsupported_action(action.get("type"), Usage())
    calls = parse_tool_calls(
        (action.get("call_id") or action.get("id"), action.get("name"), action.get("arguments"))
        for action in actions
    )
    answered = set(upstream_run.ids["answered"].split())
    new = tuple(call for call in calls if call.fingerprint not in answered)
    if not calls:
        return None
    if not new and time.time() > float(upstream_run.ids["answered_at"]) + MAX_STALE_SECONDS:
        message = "the session asks again for calls that were answered, with the same ids"
        return UpstreamSnapshot.stopped(Failure(code="call_id", message=message))
    return UpstreamSnapshot.requires_action(new, Usage()) if new else None


def _actions(session: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return parse_objects(session.get("required_actions"))


def _tool_result(turn_id: str, output: ToolOutput) -> dict[str, Any]:
    succeeded = output.outcome == "ok"
    return {
        "type": "agent.session.input.tool_result",
        "turn_id": turn_id,
        "call_id": output.call_id,
        "success": succeeded,
        "output" if succeeded else "error": output.output,
    }


def _get_turn(upstream_run: UpstreamRun) -> Mapping[str, Any] | None:
    """The newest turn of the session; None if that is the turn before the run's."""
    found = _list_turns(upstream_run, 1)
    return found[0] if found and found[0].get("id") != upstream_run.ids["after"] else None


def _list_turns(upstream_run: UpstreamRun, limit: int) -> list[Mapping[str, Any]]:
    """The newest turns of the session, newest first."""
    params: client.Params = {"order": "desc", "limit": limit}
    return parse_objects(client.get(f"{_path(upstream_run)}/turns", params, headers=HEADERS).body.get("data"))


def _get_items(session_id: str) -> list[Mapping[str, Any]]:
    """All items of a session, page by page. Raises RequestRejected for a session of too many pages."""
    items: list[Mapping[str, Any]] = []
    params: dict[str, str | int] = {"order": "asc", "limit": 100}
    for _ in range(MAX_PAGES):
        page = client.get(f"/agents/sessions/{session_id}/items", params, headers=HEADERS).body
        found = parse_objects(page.get("data"))
        items += found
        if not page.get("has_more") or not found:
            return items
        params["after"] = parse_id(found[-1])
    raise RequestRejected(f"the session has more than {MAX_PAGES} pages of items", code="too_many_items")


def _path(upstream_run: UpstreamRun) -> str:
    return f"/agents/sessions/{upstream_run.ids['session_id']}"


def _messages(run: Run) -> list[dict[str, Any]]:
    return [
        {"role": item.role, "content": [{"type": "input_text", "text": item.content}]} for item in run.items
    ]


def _post_messages(run: Run, session_id: str, idempotency_key: str) -> None:
    event = {"type": "agent.session.input.message", "input": _messages(run)}
    _post_events(session_id, [event], idempotency_key)


def _post_events(
    session_id: str, events: Sequence[Mapping[str, Any]], idempotency_key: str | None = None
) -> None:
    headers = {**HEADERS, **({"Idempotency-Key": idempotency_key} if idempotency_key else {})}
    client.post(f"/agents/sessions/{session_id}/events", {"events": list(events)}, headers=headers)
