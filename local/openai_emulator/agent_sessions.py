"""Sessions of the Agents API: what they hold, how they stand, and how the API shows them.

What a user says starts a turn of the session, which keeps its id for as many rounds of the model as
the tools make it take; each round is a `Turn` of the emulator.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Response, jsonify, request

from local.openai_emulator.conversation import (
    Call,
    CallTools,
    Fail,
    Say,
    StopShort,
)
from local.openai_emulator.errors import ApiError
from local.openai_emulator.turn import Turn

Json = Mapping[str, Any]

SETTLING_SECONDS = 0.03
"""How long a tool result does not show after its 202, which means accepted, not applied."""

_TURN_STATUSES = {CallTools: "waiting", Fail: "failed", StopShort: "failed"}
_SESSION_STATUSES = {"queued": "in_progress", "in_progress": "in_progress", "waiting": "requires_action"}


@dataclass(frozen=True)
class View:
    """What shows of a turn at one moment: time goes on, but an answer must not contradict itself."""

    status: str
    rounds: Sequence[Turn]
    results: Mapping[str, Json]
    pending: Mapping[str, Call] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether the turn has come to its end."""
        return self.status not in _SESSION_STATUSES

    @property
    def session_status(self) -> str:
        """The session's status while this is its newest turn."""
        step = self.rounds[-1].step
        if self.status == "failed" and isinstance(step, Fail) and step.code == "session_failed":
            return "failed"
        return _SESSION_STATUSES.get(self.status, "idle")

    @property
    def error(self) -> dict[str, str] | None:
        """The turn's error, if it failed."""
        match self.rounds[-1].step if self.status == "failed" else None:
            case Fail(code, message):  # what fails a session has no code of its own among the turn's
                return {"code": "internal_error" if code == "session_failed" else code, "message": message}
            case StopShort(reason):
                return {"code": reason, "message": f"The turn stopped short: {reason}."}
        return None


@dataclass
class AgentTurn:
    """A turn of the Agents API: the user's messages, the rounds that answer them, and the tool results.

    `results` are the events as they came, by call id, each with the time at which it was accepted.
    """

    messages: Sequence[Json]
    rounds: list[Turn]
    results: dict[str, tuple[float, Json]] = field(default_factory=dict)
    cancelled_at: float | None = None

    @property
    def id(self) -> str:
        """The turn's id, which is that of its first round."""
        return f"turn_{self.rounds[0].number:012x}"

    def look(self) -> View:
        """What shows now. The round after some results waits until they have settled."""
        settled = time.time() - SETTLING_SECONDS
        results = {id_: event for id_, (accepted_at, event) in self.results.items() if accepted_at <= settled}
        rounds = list(self.rounds)
        if len(rounds) > 1 and not rounds[-2].calls.keys() <= results.keys():
            rounds.pop()
        last, phase = rounds[-1], rounds[-1].phase
        if self.cancelled_at is not None:
            return View("cancelled", rounds, results)
        if phase != "done":
            return View(phase if len(rounds) == 1 else "in_progress", rounds, results)
        pending = {id_: call for id_, call in last.calls.items() if id_ not in results}
        return View(_TURN_STATUSES.get(type(last.step), "completed"), rounds, results, pending)

    def cancel(self) -> None:
        """Stop the turn, if it has not ended; what it did not show yet is lost."""
        view = self.look()
        if not view.ended:
            self.cancelled_at = time.time()
            self.rounds = list(view.rounds)
            self.rounds[-1].cancel()


@dataclass(frozen=True)
class Session:
    """A session: its agent, its turns, oldest first, and the events by their idempotency keys."""

    id: str
    agent: Json
    metadata: Mapping[str, str]
    turns: list[AgentTurn]
    accepted: dict[str, Sequence[Json]] = field(default_factory=dict)


def page(documents: Iterator[Json]) -> Response:
    """The part of a list, oldest first, that the query asks for."""
    found, limit = list(documents), request.args.get("limit", 20, type=int)
    if not 1 <= limit <= 100:
        raise ApiError(400, "'limit' must be between 1 and 100.", param="limit")
    if request.args.get("order", "desc") == "desc":
        found.reverse()
    if after := request.args.get("after"):
        ids = [document["id"] for document in found]
        if after not in ids:
            raise ApiError(400, f"Nothing found with id '{after}'.", param="after")
        found = found[ids.index(after) + 1 :]
    return jsonify({"object": "list", "data": found[:limit], "has_more": len(found) > limit})


def session_document(session: Session) -> Response:
    """A session as the API shows it."""
    agent, turn = session.agent, session.turns[-1]
    view = turn.look()
    status, error = view.session_status, view.error
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
        "last_active_at": int(view.rounds[-1].created_at),
        "environment": {"type": "none"},
        "error": error["message"] if error and status == "failed" else None,
        "metadata": session.metadata,
        "required_actions": [
            {"type": "function_call", "turn_id": turn.id, **_call(*call)} for call in view.pending.items()
        ],
        "status": status,
        "usage": None,  # it may be unknown, and is on the turns
        "vault_ids": [],
    }
    return jsonify(document)


def turn_documents(session: Session) -> Iterator[Json]:
    """The turns of a session as the API shows them, oldest first."""
    for turn in session.turns:
        view, created_at = turn.look(), int(turn.rounds[0].created_at)
        ended_at = int(turn.cancelled_at or view.rounds[-1].ready_at)
        yield {
            "id": turn.id,
            "object": "agent.session.turn",
            "session_id": session.id,
            "agent_id": f"agent_{session.id}",
            "subagent_id": None,
            "created_at": created_at,
            "started_at": None if view.status == "queued" else created_at,
            "completed_at": ended_at if view.ended else None,
            "status": view.status,
            "error": view.error,
            "usage": _usage(view, session.agent.get("instructions") or ""),
        }


def _usage(view: View, instructions: str) -> Json | None:
    """The tokens of all rounds of a turn that has ended."""
    if not view.ended:
        return None
    tokens_in = sum(round_.tokens_in(instructions) for round_ in view.rounds)
    tokens_out = sum(len(str(round_.step)) // 4 for round_ in view.rounds if round_.phase == "done")
    return {
        "input_tokens": tokens_in,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": tokens_out,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": tokens_in + tokens_out,
    }


def item_documents(session: Session) -> Iterator[Json]:
    """What was said and done in a session, in the order of time."""
    for turn in session.turns:
        view = turn.look()
        for i, message in enumerate(turn.messages, start=1):
            content = message["content"]
            yield _item(turn, "message", f"{turn.id}_{i}", role="user", phase=None, content=content)
        for round_ in view.rounds:
            if round_.phase == "done":
                yield from _round_items(turn, view, round_)


def _round_items(turn: AgentTurn, view: View, round_: Turn) -> Iterator[Json]:
    """A message, or calls with some words before them, and their outputs in the order they came."""
    step = round_.step
    if isinstance(step, Say | CallTools):
        phase, text = ("final_answer", step.text) if isinstance(step, Say) else ("commentary", "Let me look.")
        content = [{"type": "output_text", "text": text}]
        yield _item(turn, "message", str(round_.number), role="assistant", phase=phase, content=content)
    results = {id_: event for id_, event in view.results.items() if id_ in round_.calls}
    for id_, call in round_.calls.items():
        status = _outcome(results[id_]) if id_ in results else "incomplete" if view.ended else "in_progress"
        yield _item(turn, "function_call", id_, status, **_call(id_, call))
    for id_, event in results.items():
        given = {name: event.get(name) for name in ("call_id", "output", "error")}
        yield _item(turn, "function_call_output", id_, _outcome(event), **given)


def _item(turn: AgentTurn, type_: str, id_: str, status: str = "completed", **fields: Any) -> Json:
    return {"id": f"{type_}_{id_}", "type": type_, "turn_id": turn.id, "status": status, **fields}


def _outcome(event: Json) -> str:
    return "completed" if event["success"] else "failed"


def _call(id_: str, call: Call) -> Json:
    """A call as actions and items show it. Arguments that are no object are sent as they stand."""
    try:
        arguments = json.loads(call.arguments)
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        arguments = call.arguments
    return {"call_id": id_, "name": call.name, "arguments": arguments}
