"""The Agents API (beta): sessions and turns, translated into our words.

A session that is `idle` says nothing of success: the outcome is its newest turn's. Inputs are events;
a 202 means accepted, not applied, so a session may show required actions for a while after they were
answered. Events take an idempotency key, which makes them safe to repeat.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from upcall import openai_client
from upcall.assistants import Assistant
from upcall.errors import Refused
from upcall.models import Handle, LedgerEntry, Message, Snapshot, Status, ToolDefinition, ToolOutput
from upcall.openai_client import Answer, path_id
from upcall.run import Run
from upcall.run_apis.translate import (
    failure,
    objects,
    text_of,
    tool_call,
    unknown_status,
    unsupported_action,
    usage,
)

HEADERS = {"OpenAI-Beta": "agents=v1"}

TURN_STATUSES: Mapping[str, Status] = {
    "queued": "queued",
    "in_progress": "in_progress",
    "waiting": "requires_action",
    "completed": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
}
"""Theirs to ours. A status that is not here ends the run as failed, with its name."""

SUBMIT_TRIES = 4
MAX_PAGES = 100
"""Of 100 items. A server that says for ever that there is more would be asked until the function dies."""

SUBMIT_PAUSE_SECONDS = 0.25
"""A result can be refused once because it came too early; it is repeated under the same key."""


def prepare(run: Run, assistant: Assistant, tools: Sequence[ToolDefinition]) -> Handle:  # noqa: ARG001
    """The session that the run continues, and its newest turn: the run's own is the one after it.

    A session keeps the agent that it was made with: a run that wants another one is refused.
    """
    agent = f"{assistant.name} on {run.model}"
    if run.previous is None:
        return _handle("", agent)
    if run.previous.ids["agent"] != agent:
        words = f"a session of the Agents API stays with {run.previous.ids['agent']}; {agent} cannot go on"
        raise Refused(words, code="another_agent")
    session_id = run.previous.ids["session_id"]
    newest = _turn(_handle(session_id, agent)) or {}
    return _handle(session_id, agent, after=path_id(newest) if newest else "")


def create(
    run: Run,
    intent: Handle,
    assistant: Assistant,
    tools: Sequence[ToolDefinition],
    answered: Sequence[LedgerEntry] = (),  # noqa: ARG001  # the session holds them
) -> Handle:
    """Start a session, or a new turn of the session of the run that it continues."""
    if session_id := intent.ids["session_id"]:
        event = {"type": "agent.session.input.message", "input": _messages(run)}
        _send(session_id, [event], key=run.execution)
        return intent
    agent: dict[str, Any] = {"model": run.model, "instructions": assistant.instructions}
    if tools:
        agent["tools"] = [{"type": "function", **tool.model_dump()} for tool in tools]
    request = {
        "agent": agent,
        "environment": {"type": "none"},
        "input": run.prompt or _messages(run),
        "metadata": {"run_id": run.run_id},
    }
    made = openai_client.post("/agents/sessions", request, headers=HEADERS)
    return _handle(made.id, intent.ids["agent"])


def poll(handle: Handle) -> Snapshot:
    """How the newest turn of the session stands."""
    answer = _get(handle)
    session = answer.body
    if session.get("status") == "failed":
        return Snapshot.failed(failure("failed", session.get("error")), usage(session.get("usage")))
    turn = _turn(handle)
    if turn is None:  # accepted, and not begun yet
        return Snapshot(status="queued", pause_seconds=answer.poll_after_seconds or 0)
    used = usage(turn.get("usage"))
    theirs = str(turn.get("status"))
    if theirs not in TURN_STATUSES:
        return unknown_status(theirs, used)
    status = TURN_STATUSES[theirs]
    if status in ("failed", "cancelled"):
        return Snapshot.failed(failure(status, turn.get("error")), used)
    if status == "completed":
        return Snapshot(status=status, usage=used)
    return _waiting(handle, session) or Snapshot(
        status="in_progress" if status == "requires_action" else status,
        pause_seconds=answer.poll_after_seconds or 0,
    )


def submit(
    run: Run,
    assistant: Assistant,  # noqa: ARG001
    tools: Sequence[ToolDefinition],  # noqa: ARG001
    handle: Handle,
    outputs: Sequence[ToolOutput],
) -> Handle:
    """Answer the calls of a turn, all in one request; the handle remembers which were answered."""
    turn = _turn(handle) or {}
    events = [_result(str(turn.get("id")), output) for output in outputs]
    answered = [output.call_id for output in outputs]
    for left in reversed(range(SUBMIT_TRIES)):
        try:
            _send(handle.ids["session_id"], events, key=_key(run, answered))
            break
        except Refused:
            if not set(answered) & {str(action.get("call_id")) for action in _actions(_get(handle).body)}:
                break  # an earlier try has submitted them
            if not left:
                raise
            time.sleep(SUBMIT_PAUSE_SECONDS)
    return Handle(run_api="agents", ids={**handle.ids, "answered": " ".join(answered)})


def message(handle: Handle) -> Message:
    """The final text of the newest turn, commentary left out, with the tokens of the whole turn."""
    turn = _turn(handle) or {}
    texts = [
        text_of(item.get("content"))
        for item in _items(handle.ids["session_id"])
        if item.get("type") == "message"
        and item.get("role") == "assistant"
        and item.get("turn_id") == turn.get("id")
        and item.get("phase") != "commentary"
    ]
    return Message(text="".join(texts), usage=usage(turn.get("usage")))


def cancel(handle: Handle) -> None:
    """Stop the session's turn; one that has ended, or is gone, is left as it is."""
    with suppress(Refused):
        _send(handle.ids["session_id"], [{"type": "agent.session.input.cancel"}])


def _messages(run: Run) -> list[dict[str, Any]]:
    return [
        {"role": item.role, "content": [{"type": "input_text", "text": item.content}]} for item in run.items
    ]


def _waiting(handle: Handle, session: Mapping[str, Any]) -> Snapshot | None:
    """What the session waits for, less what was answered already and still shows."""
    actions = _actions(session)
    for action in actions:
        if action.get("type") != "function_call":
            return unsupported_action(action.get("type"), usage(None))
    answered = handle.ids["answered"].split()
    calls = tuple(
        tool_call(action.get("call_id"), action.get("name"), action.get("arguments"))
        for action in actions
        if str(action.get("call_id")) not in answered
    )
    return Snapshot.requires_action(calls, usage(None)) if calls else None


def _actions(session: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return objects(session.get("required_actions"))


def _key(run: Run, call_ids: Sequence[str]) -> str:
    """The same for the same calls; a header holds no more than that of ids that a server made up."""
    return f"{run.run_id}:{hashlib.sha256(' '.join(call_ids).encode()).hexdigest()}"


def _result(turn_id: str, output: ToolOutput) -> dict[str, Any]:
    good = output.outcome == "ok"
    return {
        "type": "agent.session.input.tool_result",
        "turn_id": turn_id,
        "call_id": output.call_id,
        "success": good,
        "output" if good else "error": output.output,
    }


def _turn(handle: Handle) -> Mapping[str, Any] | None:
    """The newest turn of the session, unless it is the one before the run's."""
    path = f"/agents/sessions/{handle.ids['session_id']}/turns"
    found = objects(openai_client.get(path, headers=HEADERS, order="desc", limit=1).body.get("data"))
    return found[0] if found and found[0].get("id") != handle.ids["after"] else None


def _items(session_id: str) -> list[Mapping[str, Any]]:
    """All items of a session, page by page. Raises Refused for a session that has no end."""
    items: list[Mapping[str, Any]] = []
    params: dict[str, str | int] = {"order": "asc", "limit": 100}
    for _ in range(MAX_PAGES):
        page = openai_client.get(f"/agents/sessions/{session_id}/items", headers=HEADERS, **params).body
        found = objects(page.get("data"))
        items += found
        if not page.get("has_more") or not found:
            return items
        params["after"] = path_id(found[-1])
    raise Refused(f"the session has more than {MAX_PAGES} pages of items", code="too_many_items")


def _handle(session_id: str, agent: str, after: str = "") -> Handle:
    ids = {"session_id": session_id, "agent": agent, "after": after, "answered": ""}
    return Handle(run_api="agents", ids=ids)


def _get(handle: Handle) -> Answer:
    return openai_client.get(f"/agents/sessions/{handle.ids['session_id']}", headers=HEADERS)


def _send(session_id: str, events: Sequence[Mapping[str, Any]], key: str | None = None) -> None:
    headers = {**HEADERS, **({"Idempotency-Key": key} if key else {})}
    openai_client.post(f"/agents/sessions/{session_id}/events", {"events": list(events)}, headers=headers)
