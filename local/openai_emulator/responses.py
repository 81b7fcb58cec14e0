"""The Responses API of the emulator: background responses and function calls.

Responses have every field that the SDK's strict validation requires. Errors have OpenAI's wording.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, jsonify, request

from local.openai_emulator import response_stream
from local.openai_emulator.conversation import (
    Call,
    Conversation,
    EndIncomplete,
    Exchange,
    Fail,
    Say,
)
from local.openai_emulator.errors import ApiError
from local.openai_emulator.scripted_faults import respond
from local.openai_emulator.scripted_model import ScriptedModels
from local.openai_emulator.turn import Turn
from local.openai_emulator.webhooks import Webhooks

_DONE_STATUSES = ("completed", "failed", "incomplete")


@dataclass(frozen=True)
class _StoredResponse:
    """A response: its request and the turn of the model."""

    id: str
    request: Mapping[str, Any]
    turn: Turn

    @property
    def status(self) -> str:
        if (phase := self.turn.phase) != "done":  # read once: it changes with time
            return phase
        return {Fail: "failed", EndIncomplete: "incomplete"}.get(type(self.turn.step), "completed")


class Responses:
    """All responses of one server."""

    def __init__(self, models: ScriptedModels, model_seconds: float, webhooks: Webhooks) -> None:
        self._models = models
        self._model_seconds = model_seconds
        self._webhooks = webhooks
        self._stored: dict[str, _StoredResponse] = {}

    def blueprint(self) -> Blueprint:
        """The routes."""
        routes = Blueprint("responses", __name__)

        @routes.errorhandler(ApiError)
        def reject(error: ApiError) -> tuple[Response, int]:
            return jsonify(error.document), error.status

        @routes.post("/responses")
        def create() -> Response:
            fields = request.get_json()
            operation = "submit" if "previous_response_id" in fields else "create"
            respond_with = _stream if fields.get("stream") else _respond_at_once
            return self._respond(
                operation, fields.get("model", ""), lambda: self._create(fields), respond_with
            )

        @routes.get("/responses/<id_>")
        def poll(id_: str) -> Response:
            stored = self._find(id_)
            if request.args.get("stream") != "true":
                return self._respond("poll", stored.turn.model, lambda: stored)
            response_stream.check_streamable(stored.request, stored.turn)
            return self._respond("stream", stored.turn.model, lambda: stored, _stream)

        @routes.post("/responses/<id_>/cancel")
        def cancel(id_: str) -> Response:
            stored = self._find(id_)
            return self._respond("cancel", stored.turn.model, lambda: self._cancel(stored))

        return routes

    def _respond(
        self,
        operation: str,
        model: str,
        process: Callable[[], _StoredResponse],
        respond_with: Callable[[_StoredResponse], Response] | None = None,
    ) -> Response:
        respond_with = respond_with or _respond_at_once
        return respond(self._models, model, operation, lambda: respond_with(process()))

    def _find(self, id_: str) -> _StoredResponse:
        if id_ not in self._stored:
            raise ApiError(404, f"Response with id '{id_}' not found.")
        return self._stored[id_]

    def _cancel(self, stored: _StoredResponse) -> _StoredResponse:
        if stored.turn.cancel():
            self._publish_end(stored)
        return stored

    def _create(self, fields: Mapping[str, Any]) -> _StoredResponse:
        if not fields.get("model"):
            raise ApiError(400, "Missing required parameter: 'model'.", param="model")
        if fields.get("background") and not fields.get("store", True):
            raise ApiError(400, "Background mode requires 'store' to be true.", param="store")
        _check_background_options(fields)
        turn = self._models.start_turn(fields["model"], self._conversation(fields), self._model_seconds)
        stored = _StoredResponse(f"resp_{turn.number:012x}", fields, turn)
        self._stored[stored.id] = stored
        self._webhooks.call_at(turn.done_at, lambda: self._publish_completion(stored))
        return stored

    def _publish_completion(self, stored: _StoredResponse) -> None:
        """Called when the turn's time is over. It may have been cancelled, or hang."""
        if stored.turn.phase == "done":
            self._publish_end(stored)

    def _publish_end(self, stored: _StoredResponse) -> None:
        if stored.request.get("background"):
            self._webhooks.publish(f"response.{stored.status}", id=stored.id)

    def _conversation(self, fields: Mapping[str, Any]) -> Conversation:
        tools = tuple(tool["name"] for tool in fields.get("tools") or ())
        given = fields.get("input") or ""
        items = [{"role": "user", "content": given}] if isinstance(given, str) else given
        outputs = {i["call_id"]: i["output"] for i in items if i.get("type") == "function_call_output"}
        messages = tuple((item["role"], _text(item["content"])) for item in items if "content" in item)
        prompt = " ".join(text for role, text in messages if role == "user")
        schema = ((fields.get("text") or {}).get("format") or {}).get("schema")
        previous_id = fields.get("previous_response_id")
        if previous_id is None:
            rounds = _rounds(items, outputs)
            return Conversation(prompt, tools, rounds, messages=messages, schema=schema)
        if previous_id not in self._stored:
            raise ApiError(
                400,
                f"Previous response with id '{previous_id}' not found.",
                code="previous_response_not_found",
                param="previous_response_id",
            )
        previous = self._stored[previous_id].turn
        for call_id in previous.calls:
            if call_id not in outputs:
                message = f"No tool output found for function call {call_id}."
                raise ApiError(400, message, param="input")
        _reject_unknown_calls(outputs, previous.calls)
        if previous.calls:
            return previous.with_outputs(outputs)
        return Conversation(prompt, tools, previous=previous.conversation, messages=messages, schema=schema)


def _respond_at_once(stored: _StoredResponse) -> Response:
    return jsonify(_document(stored))


def _stream(stored: _StoredResponse) -> Response:
    after = request.args.get("starting_after", type=int)
    return response_stream.stream(stored.turn, lambda: _document(stored), after)


def _rounds(items: Any, outputs: Mapping[str, str]) -> tuple[tuple[Exchange, ...], ...]:
    """The calls in a request with their outputs, as one round."""
    calls = {i["call_id"]: Call(i["name"], i["arguments"]) for i in items if i.get("type") == "function_call"}
    _reject_unknown_calls(outputs, calls)
    for call_id in calls:
        if call_id not in outputs:
            raise ApiError(400, f"No tool output found for function call {call_id}.", param="input")
    return (tuple(Exchange(call, outputs[id_]) for id_, call in calls.items()),) if calls else ()


def _text(content: Any) -> str:
    return content if isinstance(content, str) else " ".join(part["text"] for part in content)


def _reject_unknown_calls(outputs: Mapping[str, str], calls: Mapping[str, Call]) -> None:
    for call_id in outputs:
        if call_id not in calls:
            message = f"No tool call found for function call output with call_id {call_id}."
            raise ApiError(400, message, param="input")


def _check_background_options(fields: Mapping[str, Any]) -> None:
    """Raises ApiError for options without background mode, and for an unknown completion window."""
    options = fields.get("background_options")
    if options is None:
        return
    if not fields.get("background"):
        raise ApiError(
            400, "'background_options' requires 'background' to be true.", param="background_options"
        )
    window = options.get("completion_window") if isinstance(options, dict) else options
    if window not in (None, "soonest", "2h", "8h"):
        message = f"Invalid value: '{window}'. Supported values are: 'soonest', '2h', and '8h'."
        raise ApiError(400, message, param="background_options.completion_window")


def _document(stored: _StoredResponse) -> dict[str, Any]:
    """A response in the API's format."""
    status, turn, step = stored.status, stored.turn, stored.turn.step
    done = status in _DONE_STATUSES
    output = _output(stored) if done else []
    fields = stored.request
    return {
        "id": stored.id,
        "object": "response",
        "created_at": int(turn.created_at),
        "completed_at": int(turn.done_at) if status == "completed" else None,
        "status": status,
        "background": bool(fields.get("background")),
        "background_options": fields.get("background_options"),
        "error": {"code": step.code, "message": step.message}
        if status == "failed" and isinstance(step, Fail)
        else None,
        "incomplete_details": {"reason": step.reason} if isinstance(step, EndIncomplete) and done else None,
        "instructions": fields.get("instructions"),
        "metadata": fields.get("metadata") or {},
        "model": fields["model"],
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": fields.get("previous_response_id"),
        "store": fields.get("store", True),
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": fields.get("tools") or [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": _usage(stored, output) if done else None,
    }


def _output(stored: _StoredResponse) -> list[dict[str, Any]]:
    step = stored.turn.step
    if isinstance(step, Say):
        text = {"type": "output_text", "text": step.text, "annotations": []}
        return [
            {
                "id": f"msg_{stored.id}",
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "content": [text],
            }
        ]
    return [
        {
            "id": f"fc_{call_id}",
            "type": "function_call",
            "call_id": call_id,
            "name": call.name,
            "arguments": call.arguments,
            "status": "completed",
        }
        for call_id, call in stored.turn.calls.items()
    ]


def _usage(stored: _StoredResponse, output: list[dict[str, Any]]) -> dict[str, Any]:
    instructions = str(stored.request.get("instructions") or "")
    input_tokens = stored.turn.input_tokens(instructions)
    output_tokens = len(str(output)) // 4
    return {
        "input_tokens": input_tokens,
        "input_tokens_details": {
            "cached_tokens": stored.turn.cached_tokens(instructions),
            "cache_write_tokens": 0,
        },
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": input_tokens + output_tokens,
    }
