"""The Responses API of the emulator: background responses, function calls, refusals.

Answers carry every field that the SDK's strict validation asks for; refusals are worded as OpenAI
words them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, jsonify, request

from local.openai_emulator.conversation import (
    Call,
    Conversation,
    Exchange,
    Fail,
    Say,
    StopShort,
)
from local.openai_emulator.errors import ApiError
from local.openai_emulator.scripted_faults import weather
from local.openai_emulator.scripted_model import ScriptedModels
from local.openai_emulator.turn import Turn


@dataclass(frozen=True)
class _Stored:
    """A response: what was asked, and the turn of the model behind it."""

    id: str
    request: Mapping[str, Any]
    turn: Turn

    @property
    def status(self) -> str:
        if self.turn.phase != "done":
            return self.turn.phase
        return {Fail: "failed", StopShort: "incomplete"}.get(type(self.turn.step), "completed")


class Responses:
    """All responses of one server."""

    def __init__(self, brain: ScriptedModels, thinking_seconds: float) -> None:
        self._brain = brain
        self._thinking = thinking_seconds
        self._stored: dict[str, _Stored] = {}

    def blueprint(self) -> Blueprint:
        """The routes."""
        routes = Blueprint("responses", __name__)

        @routes.errorhandler(ApiError)
        def refused(error: ApiError) -> tuple[Response, int]:
            return jsonify(error.document), error.status

        @routes.post("/responses")
        def create() -> Response:
            asked = request.get_json()
            operation = "submit" if "previous_response_id" in asked else "create"
            return self._answer(operation, asked.get("model", ""), lambda: self._create(asked))

        @routes.get("/responses/<id_>")
        def poll(id_: str) -> Response:
            stored = self._find(id_)
            return self._answer("poll", stored.turn.model, lambda: stored)

        @routes.post("/responses/<id_>/cancel")
        def cancel(id_: str) -> Response:
            stored = self._find(id_)
            return self._answer("cancel", stored.turn.model, lambda: self._cancel(stored))

        return routes

    def _answer(self, operation: str, model: str, work: Callable[[], _Stored]) -> Response:
        return weather(self._brain, model, operation, lambda: jsonify(_document(work())))

    def _find(self, id_: str) -> _Stored:
        if id_ not in self._stored:
            raise ApiError(404, f"Response with id '{id_}' not found.")
        return self._stored[id_]

    def _cancel(self, stored: _Stored) -> _Stored:
        stored.turn.cancel()
        return stored

    def _create(self, asked: Mapping[str, Any]) -> _Stored:
        if not asked.get("model"):
            raise ApiError(400, "Missing required parameter: 'model'.", param="model")
        if asked.get("background") and not asked.get("store", True):
            raise ApiError(400, "Background mode requires 'store' to be true.", param="store")
        turn = self._brain.begin(asked["model"], self._conversation(asked), self._thinking)
        stored = _Stored(f"resp_{turn.number:012x}", asked, turn)
        self._stored[stored.id] = stored
        return stored

    def _conversation(self, asked: Mapping[str, Any]) -> Conversation:
        tools = tuple(tool["name"] for tool in asked.get("tools") or ())
        given = asked.get("input") or ""
        items = [{"role": "user", "content": given}] if isinstance(given, str) else given
        outputs = {i["call_id"]: i["output"] for i in items if i.get("type") == "function_call_output"}
        said = tuple((item["role"], _text(item["content"])) for item in items if "content" in item)
        prompt = " ".join(text for role, text in said if role == "user")
        schema = ((asked.get("text") or {}).get("format") or {}).get("schema")
        before = asked.get("previous_response_id")
        if before is None:
            rounds = _rounds(items, outputs)
            return Conversation(prompt, tools, rounds, said=said, schema=schema)
        if before not in self._stored:
            raise ApiError(
                400,
                f"Previous response with id '{before}' not found.",
                code="previous_response_not_found",
                param="previous_response_id",
            )
        previous = self._stored[before].turn
        for call_id in previous.calls:
            if call_id not in outputs:
                words = f"No tool output found for function call {call_id}."
                raise ApiError(400, words, param="input")
        _no_strangers(outputs, previous.calls)
        if previous.calls:
            return previous.answered(outputs)
        return Conversation(prompt, tools, follows=previous.conversation, said=said, schema=schema)


def _rounds(items: Any, outputs: Mapping[str, str]) -> tuple[tuple[Exchange, ...], ...]:
    """The calls that a caller brings along with their outputs, as one round."""
    calls = {i["call_id"]: Call(i["name"], i["arguments"]) for i in items if i.get("type") == "function_call"}
    _no_strangers(outputs, calls)
    for call_id in calls:
        if call_id not in outputs:
            raise ApiError(400, f"No tool output found for function call {call_id}.", param="input")
    return (tuple(Exchange(call, outputs[id_]) for id_, call in calls.items()),) if calls else ()


def _text(content: Any) -> str:
    return content if isinstance(content, str) else " ".join(part["text"] for part in content)


def _no_strangers(outputs: Mapping[str, str], calls: Mapping[str, Call]) -> None:
    for call_id in outputs:
        if call_id not in calls:
            words = f"No tool call found for function call output with call_id {call_id}."
            raise ApiError(400, words, param="input")


def _document(stored: _Stored) -> dict[str, Any]:
    """A response as the API shows it."""
    status, turn, step = stored.status, stored.turn, stored.turn.step
    done = turn.phase == "done"
    output = _output(stored) if done else []
    asked = stored.request
    return {
        "id": stored.id,
        "object": "response",
        "created_at": int(turn.created_at),
        "completed_at": int(turn.ready_at) if status == "completed" else None,
        "status": status,
        "background": bool(asked.get("background")),
        "error": {"code": step.code, "message": step.message}
        if status == "failed" and isinstance(step, Fail)
        else None,
        "incomplete_details": {"reason": step.reason} if isinstance(step, StopShort) and done else None,
        "instructions": asked.get("instructions"),
        "metadata": asked.get("metadata") or {},
        "model": asked["model"],
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": asked.get("previous_response_id"),
        "store": asked.get("store", True),
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": asked.get("tools") or [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": _usage(stored, output) if done else None,
    }


def _output(stored: _Stored) -> list[dict[str, Any]]:
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


def _usage(stored: _Stored, output: list[dict[str, Any]]) -> dict[str, Any]:
    tokens_in = stored.turn.tokens_in(str(stored.request.get("instructions") or ""))
    tokens_out = len(str(output)) // 4
    return {
        "input_tokens": tokens_in,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": tokens_out,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": tokens_in + tokens_out,
    }
