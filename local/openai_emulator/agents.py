"""The Agents API of the emulator (beta): its routes, and the checks of requests.

Responses have every field that the SDK's strict validation requires.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint, Response, jsonify, request

from local.openai_emulator.agent_documents import (
    item_documents,
    page,
    session_document,
    turn_documents,
)
from local.openai_emulator.agent_sessions import SETTLING_SECONDS, AgentTurn, Json, Session
from local.openai_emulator.conversation import CallTools, Conversation, Fail
from local.openai_emulator.errors import ApiError
from local.openai_emulator.scripted_faults import respond
from local.openai_emulator.scripted_model import ScriptedModels
from local.openai_emulator.turn import Turn
from local.openai_emulator.webhooks import Webhooks

_OPERATIONS = {
    "agent.session.input.message": "create",
    "agent.session.input.tool_result": "submit",
    "agent.session.input.cancel": "cancel",
}
"""The operation of a script's faults for each type of event."""

_ENVIRONMENT = {"environment_type": "none", "environment_id": None}
"""Fields of a webhook's data."""


class Agents:
    """All sessions of one server."""

    def __init__(self, models: ScriptedModels, model_seconds: float, webhooks: Webhooks) -> None:
        self._models = models
        self._model_seconds = model_seconds
        self._webhooks = webhooks
        self._sessions: dict[str, Session] = {}
        self._accepting = threading.Lock()  # of concurrent results, only one is the last of its round

    def blueprint(self) -> Blueprint:
        """The routes."""
        routes = Blueprint("agents", __name__)

        @routes.errorhandler(ApiError)
        def reject(error: ApiError) -> tuple[Response, int]:
            return jsonify(error.document), error.status

        @routes.before_request
        def require_beta_header() -> None:
            if "agents=v1" not in request.headers.get("openai-beta", ""):
                message = "You must provide the header 'OpenAI-Beta: agents=v1' to access the Agents API."
                raise ApiError(400, message, code="invalid_beta")

        @routes.post("/agents/sessions")
        def create() -> Response:
            fields = request.get_json()
            _check_session(fields)
            return self._respond("create", fields["agent"], lambda: session_document(self._create(fields)))

        @routes.get("/agents/sessions/<id_>")
        def poll(id_: str) -> Response:
            session = self._find(id_)
            return self._respond("poll", session.agent, lambda: session_document(session))

        @routes.get("/agents/sessions/<id_>/turns")
        def turns(id_: str) -> Response:
            session = self._find(id_)
            return self._respond("turns", session.agent, lambda: page(turn_documents(session)))

        @routes.get("/agents/sessions/<id_>/items")
        def items(id_: str) -> Response:
            session = self._find(id_)
            return self._respond("message", session.agent, lambda: page(item_documents(session)))

        @routes.post("/agents/sessions/<id_>/events")
        def send_events(id_: str) -> Response:
            session, events = self._find(id_), request.get_json().get("events")
            operation = _operation(events)
            return self._respond(operation, session.agent, lambda: self._accept(session, events))

        return routes

    def _respond(self, operation: str, agent: Json, process: Callable[[], Response]) -> Response:
        return respond(self._models, agent["model"], operation, process)

    def _find(self, id_: str) -> Session:
        if id_ not in self._sessions:
            raise ApiError(404, f"No session found with id '{id_}'.")
        return self._sessions[id_]

    def _create(self, fields: Json) -> Session:
        messages = fields["input"]
        if isinstance(messages, str):
            messages = [{"role": "user", "content": [{"type": "input_text", "text": messages}]}]
        turn = self._start_turn(fields["agent"], messages)
        id_ = f"sess_{turn.rounds[0].number:012x}"
        session = Session(id_, fields["agent"], fields.get("metadata") or {}, [turn])
        self._sessions[id_] = session
        self._publish_later(session, turn)
        return session

    def _start_turn(self, agent: Json, messages: Any, previous: Conversation | None = None) -> AgentTurn:
        for each in messages:
            if each.get("role") != "user" or not isinstance(each.get("content"), list):
                message = "A message of the input has the role 'user' and a list of content parts."
                raise ApiError(400, message, param="input")
        texts = tuple((each["role"], _text(each["content"])) for each in messages)
        prompt = " ".join(text for _, text in texts)
        tools = tuple(tool["name"] for tool in agent.get("tools") or ())
        conversation = Conversation(prompt, tools, previous=previous, messages=texts)
        return AgentTurn(
            messages, [self._models.start_turn(agent["model"], conversation, self._model_seconds)]
        )

    def _accept(self, session: Session, events: Sequence[Json]) -> Response:
        key = request.headers.get("idempotency-key", "")
        with self._accepting:
            if not key or key not in session.accepted:
                _check_results(session.turns[-1], events)
                for event in events:
                    self._apply(session, session.turns[-1], event)
                session.accepted[key] = events  # at the end, because a rejected request does not use its key
            elif session.accepted[key] != events:
                message = "The idempotency key was used with other events."
                raise ApiError(409, message, code="idempotency_conflict")
        return Response(status=202)

    def _apply(self, session: Session, turn: AgentTurn, event: Json) -> None:
        operation, last = _OPERATIONS[event["type"]], turn.rounds[-1]
        if operation == "cancel":
            if turn.cancel():
                self._publish(session, "idle", **_ENVIRONMENT)
        elif operation == "create":
            _require(event, "events.", "input")
            if turn.snapshot().session_status != "idle":
                raise ApiError(409, "The session is not idle: it does not accept messages.")
            turn = self._start_turn(session.agent, event["input"], last.conversation)
            session.turns.append(turn)
            self._publish_later(session, turn)
        else:
            turn.results[event["call_id"]] = (time.time(), event)
            if last.calls.keys() <= turn.results.keys():
                conversation = last.with_outputs(
                    {id_: _result_text(turn.results[id_][1]) for id_ in last.calls}
                )
                turn.rounds.append(self._models.start_turn(last.model, conversation, self._model_seconds))
                self._publish_later(session, turn)

    def _publish_later(self, session: Session, turn: AgentTurn) -> None:
        """Publish the change of the session when the last round of its turn is visible."""
        round_ = turn.rounds[-1]
        due = max(round_.done_at, round_.created_at + SETTLING_SECONDS)
        self._webhooks.call_at(due, lambda: self._publish_round(session, turn, round_))

    def _publish_round(self, session: Session, turn: AgentTurn, round_: Turn) -> None:
        if turn.cancelled_at is not None or round_.phase != "done":
            return
        match round_.step:
            case CallTools():
                self._publish(session, "action_required", required_action={"type": "function_call"})
            case Fail("session_failed"):
                self._publish(session, "failed", **_ENVIRONMENT)
            case _:
                self._publish(session, "idle", **_ENVIRONMENT)

    def _publish(self, session: Session, change: str, **data: Any) -> None:
        self._webhooks.publish(f"agent.session.{change}", id=session.id, **data)


def _check_session(fields: Json) -> None:
    """Reject what the API would reject in a request to create a session."""
    _require(fields, "", "agent", "environment", "input")
    _require(fields["agent"], "agent.", "model")
    if fields["environment"] != {"type": "none"}:
        raise ApiError(400, "The emulator knows no environment but 'none'.", param="environment")
    for i, tool in enumerate(fields["agent"].get("tools") or ()):
        path = f"agent.tools[{i}]."
        _require(tool, path, "type", "name", "description", "parameters")
        if "strict" in tool:
            message = f"Unknown parameter: '{path}strict'."
            raise ApiError(400, message, code="unknown_parameter", param=f"{path}strict")


def _require(fields: Json, path: str, *names: str) -> None:
    for name in names:
        if fields.get(name) in (None, "", []):
            message = f"Missing required parameter: '{path}{name}'."
            raise ApiError(400, message, code="missing_required_parameter", param=path + name)


def _operation(events: Any) -> str:
    """The operation of a request with these events: that of the first event."""
    types = [event.get("type") for event in events or ()]
    if not types or not _OPERATIONS.keys() >= set(types):
        raise ApiError(400, f"'events' holds one or more of: {', '.join(_OPERATIONS)}.", param="events")
    return _OPERATIONS[types[0]]


def _check_results(turn: AgentTurn, events: Sequence[Json]) -> None:
    """Reject all results if one is for no pending call. Clients know the error by its code and message."""
    pending = turn.snapshot().pending.keys() - turn.results.keys()
    for event in events:
        if _OPERATIONS[event["type"]] == "submit":
            _require(event, "events.", "turn_id", "call_id", "success")
            if event["call_id"] not in pending or event["turn_id"] != turn.id:
                message = f"Unknown pending tool call: {event['call_id']}"
                raise ApiError(400, message, code="invalid_request_error")
            pending.remove(event["call_id"])


def _text(parts: Sequence[Json]) -> str:
    """The text of content parts. The model ignores images."""
    return "".join(part.get("text", "") for part in parts)


def _result_text(event: Json) -> str:
    value = event.get("output" if event["success"] else "error") or ""
    return value if isinstance(value, str) else _text(value)
