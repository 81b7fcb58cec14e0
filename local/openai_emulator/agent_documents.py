"""The objects of the Agents API in its JSON format."""

import json
from collections.abc import Iterator
from typing import Any

from flask import Response, jsonify, request

from local.openai_emulator.agent_sessions import AgentTurn, Json, Session, TurnSnapshot
from local.openai_emulator.conversation import Call, CallTools, Say
from local.openai_emulator.errors import ApiError
from local.openai_emulator.turn import Turn


def page(documents: Iterator[Json]) -> Response:
    """A page of these documents, oldest first, by the request's `order`, `after` and `limit`."""
    selected, limit = list(documents), request.args.get("limit", 20, type=int)
    if not 1 <= limit <= 100:
        raise ApiError(400, "'limit' must be between 1 and 100.", param="limit")
    if request.args.get("order", "desc") == "desc":
        selected.reverse()
    if after := request.args.get("after"):
        ids = [document["id"] for document in selected]
        if after not in ids:
            raise ApiError(400, f"Nothing found with id '{after}'.", param="after")
        selected = selected[ids.index(after) + 1 :]
    return jsonify({"object": "list", "data": selected[:limit], "has_more": len(selected) > limit})


def session_document(session: Session) -> Response:
    """A session."""
    agent, turn = session.agent, session.turns[-1]
    snapshot = turn.snapshot()
    status, error = snapshot.session_status, snapshot.error
    document = {
        "id": session.id,
        "object": "agent.session",
        "agent": {
            "id": f"agent_{session.id}",
            "name": None,
            "model": agent["model"],
            "instructions": agent.get("instructions"),
            "tools": [{"defer_loading": False, **tool} for tool in agent.get("tools") or ()],
            "multi_agent": {"enabled": False, "max_concurrent_subagents": None},
            "reasoning": {"effort": None, "summary": None},
            "service_tier": "auto",
            "text": {"format": {"type": "text"}, "verbosity": "medium"},
        },
        "created_at": int(session.turns[0].rounds[0].created_at),
        "last_active_at": int(snapshot.rounds[-1].created_at),
        "environment": {"type": "none"},
        "error": error["message"] if error and status == "failed" else None,
        "metadata": session.metadata,
        "required_actions": [
            {"type": "function_call", "turn_id": turn.id, **_call(*call)} for call in snapshot.pending.items()
        ],
        "status": status,
        "usage": None,  # the API allows that; the turns have theirs
        "vault_ids": [],
    }
    return jsonify(document)


def turn_documents(session: Session) -> Iterator[Json]:
    """The turns of a session, oldest first."""
    for turn in session.turns:
        snapshot, created_at = turn.snapshot(), int(turn.rounds[0].created_at)
        ended_at = int(turn.cancelled_at or snapshot.rounds[-1].done_at)
        yield {
            "id": turn.id,
            "object": "agent.session.turn",
            "session_id": session.id,
            "agent_id": f"agent_{session.id}",
            "subagent_id": None,
            "created_at": created_at,
            "started_at": None if snapshot.status == "queued" else created_at,
            "completed_at": ended_at if snapshot.ended else None,
            "status": snapshot.status,
            "error": snapshot.error,
            "usage": _usage(snapshot, session.agent.get("instructions") or ""),
        }


def item_documents(session: Session) -> Iterator[Json]:
    """The messages, calls and outputs of a session, oldest first."""
    for turn in session.turns:
        snapshot = turn.snapshot()
        for i, message in enumerate(turn.messages, start=1):
            content = message["content"]
            yield _item(turn, "message", f"{turn.id}_{i}", role="user", phase=None, content=content)
        for round_ in snapshot.rounds:
            if round_.phase == "done":
                yield from _round_items(turn, snapshot, round_)


def _round_items(turn: AgentTurn, snapshot: TurnSnapshot, round_: Turn) -> Iterator[Json]:
    """A final message; or a comment, calls, and their outputs in the order in which they were accepted."""
    step = round_.step
    if isinstance(step, Say | CallTools):
        phase, text = ("final_answer", step.text) if isinstance(step, Say) else ("commentary", "Let me look.")
        content = [{"type": "output_text", "text": text}]
        yield _item(turn, "message", str(round_.number), role="assistant", phase=phase, content=content)
    results = {id_: event for id_, event in snapshot.results.items() if id_ in round_.calls}
    pending_status = "incomplete" if snapshot.ended else "in_progress"
    for id_, call in round_.calls.items():
        status = _result_status(results[id_]) if id_ in results else pending_status
        yield _item(turn, "function_call", id_, status, **_call(id_, call))
    for id_, event in results.items():
        fields = {name: event.get(name) for name in ("call_id", "output", "error")}
        yield _item(turn, "function_call_output", id_, _result_status(event), **fields)


def _item(turn: AgentTurn, type_: str, id_: str, status: str = "completed", **fields: Any) -> Json:
    return {"id": f"{type_}_{id_}", "type": type_, "turn_id": turn.id, "status": status, **fields}


def _result_status(event: Json) -> str:
    return "completed" if event["success"] else "failed"


def _call(id_: str, call: Call) -> Json:
    """The fields of a call in actions and items. Arguments that are not a JSON object are sent as text."""
    try:
        arguments = json.loads(call.arguments)
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        arguments = call.arguments
    return {"call_id": id_, "name": call.name, "arguments": arguments}


def _usage(snapshot: TurnSnapshot, instructions: str) -> Json | None:
    """The tokens of all rounds of a turn that has ended."""
    if not snapshot.ended:
        return None
    input_tokens = sum(round_.input_tokens(instructions) for round_ in snapshot.rounds)
    cached_tokens = sum(round_.cached_tokens(instructions) for round_ in snapshot.rounds)
    output_tokens = sum(len(str(round_.step)) // 4 for round_ in snapshot.rounds if round_.phase == "done")
    return {
        "input_tokens": input_tokens,
        "input_tokens_details": {"cached_tokens": cached_tokens},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": input_tokens + output_tokens,
    }
