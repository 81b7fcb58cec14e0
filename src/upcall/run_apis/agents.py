"""The Agents API (beta): sessions and turns.

A session that is `idle` may have succeeded or failed: the outcome is that of its newest turn. Inputs are
events. A 202 means accepted, not applied, so a session may show required actions for a while after they were
answered. Events take an idempotency key, which makes them safe to repeat.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from upcall.domain.errors import FieldError, RequestRejected
from upcall.domain.run import Run
from upcall.domain.status import Status
from upcall.domain.tool_calls import LedgerEntry, ToolOutput
from upcall.domain.upstream_run import Message, UpstreamRun, UpstreamSnapshot
from upcall.domain.usage import Usage
from upcall.run_apis import client
from upcall.run_apis.base import UpstreamRequest
from upcall.run_apis.client import parse_id
from upcall.run_apis.parsing import (
    parse_failure,
    parse_objects,
    parse_text,
    parse_tool_call,
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

MAX_PAGES = 100
"""Of 100 items. A server that always says that there is more would be asked until the function times out."""


def unsupported_field(run: Run) -> FieldError | None:
    """A session has no response format, and takes items of the user only."""
    if run.response_format is not None:
        return FieldError("response_format", "the agents run API does not support it")
    if any(item.role != "user" for item in run.items):
        return FieldError("input", "the agents run API takes items of the user only")
    return None


def can_resume_after_tool_calls() -> bool:
    """The session holds the calls and their outputs."""
    return True


def conversation_to_retry_in(run: Run) -> UpstreamRun | None:
    """The session of the failed attempt, if there is one."""
    return run.upstream_run or run.previous_upstream_run


def prepare(request: UpstreamRequest) -> UpstreamRun:
    """The session that the run continues, and its newest turn: the run's own turn is the one after that.

    A session keeps the agent that it was created with. A run that wants another one is rejected.
    """
    run = request.run
    agent = f"{request.assistant.name} on {run.model}"
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
    messages = [
        {"role": item.role, "content": [{"type": "input_text", "text": item.content}]} for item in run.items
    ]
    if session_id := intent.ids["session_id"]:
        event = {"type": "agent.session.input.message", "input": messages}
        _post_events(session_id, [event], idempotency_key=run.execution_name)
        return intent
    agent: dict[str, Any] = {"model": run.model, "instructions": request.assistant.instructions}
    if request.tools:
        agent["tools"] = [{"type": "function", **tool.model_dump()} for tool in request.tools]
    body = {
        "agent": agent,
        "environment": {"type": "none"},
        "input": run.prompt or messages,
        "metadata": {"run_id": run.run_id},
    }
    return _session(client.post("/agents/sessions", body, headers=HEADERS).id, intent.ids["agent"])


def poll(upstream_run: UpstreamRun) -> UpstreamSnapshot:
    """The status of the session's newest turn."""
    response = client.get(_path(upstream_run), headers=HEADERS)
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
        return UpstreamSnapshot.failed(parse_failure(status, turn.get("error")), usage)
    if status == "completed":
        return UpstreamSnapshot(status=status, usage=usage)
    if required := _required_action(upstream_run, session):
        return required
    if status == "requires_action":  # its actions are all answered, and not applied yet
        status = "in_progress"
    return UpstreamSnapshot(status=status, pause_seconds=pause_seconds)


def submit(request: UpstreamRequest, upstream_run: UpstreamRun, outputs: Sequence[ToolOutput]) -> UpstreamRun:
    """Submit the outputs of a turn's calls in one request. The returned ids name the answered calls."""
    turn = _get_turn(upstream_run) or {}
    events = [_tool_result(str(turn.get("id")), output) for output in outputs]
    call_ids = [output.call_id for output in outputs]
    key = f"{request.run.run_id}:{hashlib.sha256(' '.join(call_ids).encode()).hexdigest()}"
    for tries_left in reversed(range(SUBMIT_TRIES)):
        try:
            _post_events(upstream_run.ids["session_id"], events, idempotency_key=key)
            break
        except RequestRejected:
            session = client.get(_path(upstream_run), headers=HEADERS).body
            if not set(call_ids) & {str(action.get("call_id")) for action in _actions(session)}:
                break  # an earlier try has submitted them
            if not tries_left:
                raise
            time.sleep(SUBMIT_PAUSE_SECONDS)
    return UpstreamRun(run_api="agents", ids={**upstream_run.ids, "answered": " ".join(call_ids)})


def get_message(upstream_run: UpstreamRun) -> Message:
    """The final text of the newest turn without commentary, with the tokens of the whole turn."""
    turn = _get_turn(upstream_run) or {}
    texts = [
        parse_text(item.get("content"))
        for item in _get_items(upstream_run.ids["session_id"])
        if item.get("type") == "message"
        and item.get("role") == "assistant"
        and item.get("turn_id") == turn.get("id")
        and item.get("phase") != "commentary"
    ]
    return Message(text="".join(texts), usage=parse_usage(turn.get("usage")))


def cancel(upstream_run: UpstreamRun) -> None:
    """Cancel the session's turn."""
    with suppress(RequestRejected):
        _post_events(upstream_run.ids["session_id"], [{"type": "agent.session.input.cancel"}])


def _session(session_id: str, agent: str, after: str = "") -> UpstreamRun:
    """A run in a session: in the turn that follows the turn `after`. `answered` are ids of calls."""
    ids = {"session_id": session_id, "agent": agent, "after": after, "answered": ""}
    return UpstreamRun(run_api="agents", ids=ids)


def _required_action(upstream_run: UpstreamRun, session: Mapping[str, Any]) -> UpstreamSnapshot | None:
    """The calls that the session waits for, without those that were answered and are still listed."""
    actions = _actions(session)
    for action in actions:
        if action.get("type") != "function_call":
            return unsupported_action(action.get("type"), Usage())
    answered = upstream_run.ids["answered"].split()
    calls = tuple(
        parse_tool_call(action.get("call_id"), action.get("name"), action.get("arguments"))
        for action in actions
        if str(action.get("call_id")) not in answered
    )
    return UpstreamSnapshot.requires_action(calls, Usage()) if calls else None


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
    turns = client.get(f"{_path(upstream_run)}/turns", headers=HEADERS, order="desc", limit=1).body
    found = parse_objects(turns.get("data"))
    return found[0] if found and found[0].get("id") != upstream_run.ids["after"] else None


def _get_items(session_id: str) -> list[Mapping[str, Any]]:
    """All items of a session, page by page. Raises RequestRejected for a session of too many pages."""
    items: list[Mapping[str, Any]] = []
    params: dict[str, str | int] = {"order": "asc", "limit": 100}
    for _ in range(MAX_PAGES):
        page = client.get(f"/agents/sessions/{session_id}/items", headers=HEADERS, **params).body
        found = parse_objects(page.get("data"))
        items += found
        if not page.get("has_more") or not found:
            return items
        params["after"] = parse_id(found[-1])
    raise RequestRejected(f"the session has more than {MAX_PAGES} pages of items", code="too_many_items")


def _path(upstream_run: UpstreamRun) -> str:
    return f"/agents/sessions/{upstream_run.ids['session_id']}"


def _post_events(
    session_id: str, events: Sequence[Mapping[str, Any]], idempotency_key: str | None = None
) -> None:
    headers = {**HEADERS, **({"Idempotency-Key": idempotency_key} if idempotency_key else {})}
    client.post(f"/agents/sessions/{session_id}/events", {"events": list(events)}, headers=headers)
