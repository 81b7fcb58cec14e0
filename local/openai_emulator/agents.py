"""The Agents API of the emulator (beta): its routes, what it takes, and what it refuses.

Answers carry every field that the SDK's strict validation asks for.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint, Response, jsonify, request

from local.openai_emulator.agent_sessions import (
    AgentTurn,
    Json,
    Session,
    item_documents,
    page,
    session_document,
    turn_documents,
)
from local.openai_emulator.conversation import Conversation
from local.openai_emulator.errors import ApiError
from local.openai_emulator.scripted_faults import weather
from local.openai_emulator.scripted_model import ScriptedModels

_OPERATIONS = {
    "agent.session.input.message": "create",
    "agent.session.input.tool_result": "submit",
    "agent.session.input.cancel": "cancel",
}


class Agents:
    """All sessions of one server."""

    def __init__(self, brain: ScriptedModels, thinking_seconds: float) -> None:
        self._brain = brain
        self._thinking = thinking_seconds
        self._sessions: dict[str, Session] = {}
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
            return self._answer("create", asked["agent"], lambda: session_document(self._create(asked)))

        @routes.get("/agents/sessions/<id_>")
        def poll(id_: str) -> Response:
            session = self._find(id_)
            return self._answer("poll", session.agent, lambda: session_document(session))

        @routes.get("/agents/sessions/<id_>/turns")
        def turns(id_: str) -> Response:
            session = self._find(id_)
            return self._answer("turns", session.agent, lambda: page(turn_documents(session)))

        @routes.get("/agents/sessions/<id_>/items")
        def items(id_: str) -> Response:
            session = self._find(id_)
            return self._answer("message", session.agent, lambda: page(item_documents(session)))

        @routes.post("/agents/sessions/<id_>/events")
        def events(id_: str) -> Response:
            session, given = self._find(id_), request.get_json().get("events")
            operation = _operation(given)
            return self._answer(operation, session.agent, lambda: self._take(session, given))

        return routes

    def _answer(self, operation: str, agent: Json, work: Callable[[], Response]) -> Response:
        return weather(self._brain, agent["model"], operation, work)

    def _find(self, id_: str) -> Session:
        if id_ not in self._sessions:
            raise ApiError(404, f"No session found with id '{id_}'.")
        return self._sessions[id_]

    def _create(self, asked: Json) -> Session:
        said = asked["input"]
        if isinstance(said, str):
            said = [{"role": "user", "content": [{"type": "input_text", "text": said}]}]
        turn = self._begin(asked["agent"], said)
        id_ = f"sess_{turn.rounds[0].number:012x}"
        self._sessions[id_] = Session(id_, asked["agent"], asked.get("metadata") or {}, [turn])
        return self._sessions[id_]

    def _begin(self, agent: Json, said: Any, follows: Conversation | None = None) -> AgentTurn:
        for message in said:
            if message.get("role") != "user" or not isinstance(message.get("content"), list):
                words = "A message of the input has the role 'user' and a list of content parts."
                raise ApiError(400, words, param="input")
        texts = tuple((message["role"], _text(message["content"])) for message in said)
        prompt = " ".join(text for _, text in texts)
        tools = tuple(tool["name"] for tool in agent.get("tools") or ())
        conversation = Conversation(prompt, tools, follows=follows, said=texts)
        return AgentTurn(said, [self._brain.begin(agent["model"], conversation, self._thinking)])

    def _take(self, session: Session, events: Sequence[Json]) -> Response:
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

    def _apply(self, session: Session, turn: AgentTurn, event: Json) -> None:
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
                turn.rounds.append(self._brain.begin(last.model, answered, self._thinking))


def _check(asked: Json) -> None:
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


def _require(given: Json, where: str, *names: str) -> None:
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


def _check_results(turn: AgentTurn, events: Sequence[Json]) -> None:
    """Refuse all results if one is for no pending call. The SDK knows the refusal by code and words."""
    pending = turn.look().pending.keys() - turn.results.keys()
    for event in events:
        if _OPERATIONS[event["type"]] == "submit":
            _require(event, "events.", "turn_id", "call_id", "success")
            if event["call_id"] not in pending or event["turn_id"] != turn.id:
                words = f"Unknown pending tool call: {event['call_id']}"
                raise ApiError(400, words, code="invalid_request_error")
            pending.remove(event["call_id"])


def _text(parts: Sequence[Json]) -> str:
    """The text of content parts; the model is blind to images."""
    return "".join(part.get("text", "") for part in parts)


def _result_text(event: Json) -> str:
    given = event.get("output" if event["success"] else "error") or ""
    return given if isinstance(given, str) else _text(given)
