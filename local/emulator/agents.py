"""The Agents API of the emulator (beta): sessions, turns, items, events.

What a user says starts a turn of the session, which keeps its id for as many rounds of the model as
the tools make it take; each round is a `Turn` of the emulator. Answers carry every field that the
SDK's strict validation asks for.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Response, jsonify, request

from local.emulator.brain import Brain, Call, CallTools, Conversation, Fail, Say, StopShort
from local.emulator.errors import ApiError
from local.emulator.faults import weather
from local.emulator.turn import Turn, begin

SETTLING_SECONDS = 0.03
"""How long a tool result does not show after its 202, which means accepted, not applied."""

_OPERATIONS = {
    "agent.session.input.message": "create",
    "agent.session.input.tool_result": "submit",
    "agent.session.input.cancel": "cancel",
}
_TURN_STATUSES = {CallTools: "waiting", Fail: "failed", StopShort: "failed"}
_SESSION_STATUSES = {"queued": "in_progress", "in_progress": "in_progress", "waiting": "requires_action"}

_Json = Mapping[str, Any]


@dataclass(frozen=True)
class _View:
    """What shows of a turn at one moment: time goes on, but an answer must not contradict itself."""

    status: str
    rounds: Sequence[Turn]
    results: Mapping[str, _Json]
    pending: Mapping[str, Call] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        return self.status not in _SESSION_STATUSES

    @property
    def session_status(self) -> str:
        step = self.rounds[-1].step
        if self.status == "failed" and isinstance(step, Fail) and step.code == "session_failed":
            return "failed"
        return _SESSION_STATUSES.get(self.status, "idle")

    @property
    def error(self) -> dict[str, str] | None:
        match self.rounds[-1].step if self.status == "failed" else None:
            case Fail(code, message):  # what fails a session has no code of its own among the turn's
                return {"code": "internal_error" if code == "session_failed" else code, "message": message}
            case StopShort(reason):
                return {"code": reason, "message": f"The turn stopped short: {reason}."}
        return None


@dataclass
class _AgentTurn:
    """A turn of the Agents API: the user's messages, the rounds that answer them, and the tool results.

    `results` are the events as they came, by call id, each with the time at which it was accepted.
    """

    messages: Sequence[_Json]
    rounds: list[Turn]
    results: dict[str, tuple[float, _Json]] = field(default_factory=dict)
    cancelled_at: float | None = None

    @property
    def id(self) -> str:
        return f"turn_{self.rounds[0].number:012x}"

    def look(self) -> _View:
        """What shows now. The round after some results waits until they have settled."""
        settled = time.time() - SETTLING_SECONDS
        results = {id_: event for id_, (accepted_at, event) in self.results.items() if accepted_at <= settled}
        rounds = list(self.rounds)
        if len(rounds) > 1 and not rounds[-2].calls.keys() <= results.keys():
            rounds.pop()
        last, phase = rounds[-1], rounds[-1].phase
        if self.cancelled_at is not None:
            return _View("cancelled", rounds, results)
        if phase != "done":
            return _View(phase if len(rounds) == 1 else "in_progress", rounds, results)
        pending = {id_: call for id_, call in last.calls.items() if id_ not in results}
        return _View(_TURN_STATUSES.get(type(last.step), "completed"), rounds, results, pending)

    def cancel(self) -> None:
        """Stop the turn, if it has not ended; what it did not show yet is lost."""
        view = self.look()
        if not view.ended:
            self.cancelled_at = time.time()
            self.rounds = list(view.rounds)
            self.rounds[-1].cancel()


@dataclass(frozen=True)
class _Session:
    """A session: its agent, its turns, oldest first, and the events by their idempotency keys."""

    id: str
    agent: _Json
    metadata: Mapping[str, str]
    turns: list[_AgentTurn]
    accepted: dict[str, Sequence[_Json]] = field(default_factory=dict)


class Agents:
    """All sessions of one server."""

    def __init__(self, brain: Brain, thinking_seconds: float) -> None:
        self._brain = brain
        self._thinking = thinking_seconds
        self._sessions: dict[str, _Session] = {}
        self._taking = threading.Lock()  # results come side by side, and only one of them is the last

    def blueprint(self) -> Blueprint:
        """The routes."""
        routes = Blueprint("agents", __name__)

        @routes.errorhandler(ApiError)
        def refused(error: ApiError) -> tuple[Response, int]:
            return jsonify(error.document), error.status

        @routes.before_request
        def beta() -> None:
            if "agents=v1" not in request.headers.get("openai-beta", ""):
                words = "You must provide the header 'OpenAI-Beta: agents=v1' to access the Agents API."
                raise ApiError(400, words, code="invalid_beta")

        @routes.post("/agents/sessions")
        def create() -> Response:
            asked = request.get_json()
            _check(asked)
            return self._answer("create", asked["agent"], lambda: _document(self._create(asked)))

        @routes.get("/agents/sessions/<id_>")
        def poll(id_: str) -> Response:
            session = self._find(id_)
            return self._answer("poll", session.agent, lambda: _document(session))

        @routes.get("/agents/sessions/<id_>/turns")
        def turns(id_: str) -> Response:
            session = self._find(id_)
            return self._answer("turns", session.agent, lambda: _page(_turns(session)))

        @routes.get("/agents/sessions/<id_>/items")
        def items(id_: str) -> Response:
            session = self._find(id_)
            return self._answer("message", session.agent, lambda: _page(_items(session)))

        @routes.post("/agents/sessions/<id_>/events")
        def events(id_: str) -> Response:
            session, given = self._find(id_), request.get_json().get("events")
            operation = _operation(given)
            return self._answer(operation, session.agent, lambda: self._take(session, given))

        return routes

    def _answer(self, operation: str, agent: _Json, work: Callable[[], Response]) -> Response:
        return weather(self._brain, agent["model"], operation, work)

    def _find(self, id_: str) -> _Session:
        if id_ not in self._sessions:
            raise ApiError(404, f"No session found with id '{id_}'.")
        return self._sessions[id_]

    def _create(self, asked: _Json) -> _Session:
        said = asked["input"]
        if isinstance(said, str):
            said = [{"role": "user", "content": [{"type": "input_text", "text": said}]}]
        turn = self._begin(asked["agent"], said)
        id_ = f"sess_{turn.rounds[0].number:012x}"
        self._sessions[id_] = _Session(id_, asked["agent"], asked.get("metadata") or {}, [turn])
        return self._sessions[id_]

    def _begin(self, agent: _Json, said: Any, follows: Conversation | None = None) -> _AgentTurn:
        for message in said:
            if message.get("role") != "user" or not isinstance(message.get("content"), list):
                words = "A message of the input has the role 'user' and a list of content parts."
                raise ApiError(400, words, param="input")
        prompt = " ".join(_text(message["content"]) for message in said)
        tools = tuple(tool["name"] for tool in agent.get("tools") or ())
        conversation = Conversation(prompt, tools, follows=follows)
        return _AgentTurn(said, [begin(self._brain, agent["model"], conversation, self._thinking)])

    def _take(self, session: _Session, events: Sequence[_Json]) -> Response:
        key = request.headers.get("idempotency-key", "")
        with self._taking:
            if not key or key not in session.accepted:
                _check_results(session.turns[-1], events)
                for event in events:
                    self._apply(session, session.turns[-1], event)
                session.accepted[key] = events  # only now: a refusal does not use the key up
            elif session.accepted[key] != events:
                words = "The idempotency key came before, with other events."
                raise ApiError(409, words, code="idempotency_conflict")
        return Response(status=202)

    def _apply(self, session: _Session, turn: _AgentTurn, event: _Json) -> None:
        operation, last = _OPERATIONS[event["type"]], turn.rounds[-1]
        if operation == "cancel":
            turn.cancel()
        elif operation == "create":
            _require(event, "events.", "input")
            if turn.look().session_status != "idle":
                raise ApiError(409, "The session is not idle: it takes no message now.")
            session.turns.append(self._begin(session.agent, event["input"], last.conversation))
        else:
            turn.results[event["call_id"]] = (time.time(), event)
            if last.calls.keys() <= turn.results.keys():
                answered = last.answered({id_: _result_text(turn.results[id_][1]) for id_ in last.calls})
                turn.rounds.append(begin(self._brain, last.model, answered, self._thinking))


def _check(asked: _Json) -> None:
    """Refuse what the API would refuse of a session to be created."""
    _require(asked, "", "agent", "environment", "input")
    _require(asked["agent"], "agent.", "model")
    if asked["environment"] != {"type": "none"}:
        raise ApiError(400, "The emulator knows no environment but 'none'.", param="environment")
    for i, tool in enumerate(asked["agent"].get("tools") or ()):
        where = f"agent.tools[{i}]."
        _require(tool, where, "type", "name", "description", "parameters")
        if "strict" in tool:
            words = f"Unknown parameter: '{where}strict'."
            raise ApiError(400, words, code="unknown_parameter", param=f"{where}strict")


def _require(given: _Json, where: str, *names: str) -> None:
    for name in names:
        if given.get(name) in (None, "", []):
            words = f"Missing required parameter: '{where}{name}'."
            raise ApiError(400, words, code="missing_required_parameter", param=where + name)


def _operation(events: Any) -> str:
    """What the weather calls a request with these events: the first of them says it."""
    types = [event.get("type") for event in events or ()]
    if not types or not _OPERATIONS.keys() >= set(types):
        raise ApiError(400, f"'events' holds one or more of: {', '.join(_OPERATIONS)}.", param="events")
    return _OPERATIONS[types[0]]


def _check_results(turn: _AgentTurn, events: Sequence[_Json]) -> None:
    """Refuse all results if one is for no pending call. The SDK knows the refusal by code and words."""
    pending = turn.look().pending.keys() - turn.results.keys()
    for event in events:
        if _OPERATIONS[event["type"]] == "submit":
            _require(event, "events.", "turn_id", "call_id", "success")
            if event["call_id"] not in pending or event["turn_id"] != turn.id:
                words = f"Unknown pending tool call: {event['call_id']}"
                raise ApiError(400, words, code="invalid_request_error")
            pending.remove(event["call_id"])


def _text(parts: Sequence[_Json]) -> str:
    """The text of content parts; the model is blind to images."""
    return "".join(part.get("text", "") for part in parts)


def _result_text(event: _Json) -> str:
    given = event.get("output" if event["success"] else "error") or ""
    return given if isinstance(given, str) else _text(given)


def _page(documents: Iterator[_Json]) -> Response:
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


def _document(session: _Session) -> Response:
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


def _turns(session: _Session) -> Iterator[_Json]:
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


def _usage(view: _View, instructions: str) -> _Json | None:
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


def _items(session: _Session) -> Iterator[_Json]:
    """What was said and done in a session, in the order of time."""
    for turn in session.turns:
        view = turn.look()
        for i, message in enumerate(turn.messages, start=1):
            content = message["content"]
            yield _item(turn, "message", f"{turn.id}_{i}", role="user", phase=None, content=content)
        for round_ in view.rounds:
            if round_.phase == "done":
                yield from _round_items(turn, view, round_)


def _round_items(turn: _AgentTurn, view: _View, round_: Turn) -> Iterator[_Json]:
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


def _item(turn: _AgentTurn, type_: str, id_: str, status: str = "completed", **fields: Any) -> _Json:
    return {"id": f"{type_}_{id_}", "type": type_, "turn_id": turn.id, "status": status, **fields}


def _outcome(event: _Json) -> str:
    return "completed" if event["success"] else "failed"


def _call(id_: str, call: Call) -> _Json:
    """A call as actions and items show it. Arguments that are no object are sent as they stand."""
    try:
        arguments = json.loads(call.arguments)
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        arguments = call.arguments
    return {"call_id": id_, "name": call.name, "arguments": arguments}
