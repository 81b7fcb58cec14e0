"""The Responses API of the emulator: background responses, function calls, refusals.

Answers carry every field that the SDK's strict validation asks for; refusals are worded as OpenAI
words them.
"""

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, jsonify, request

from local.emulator.brain import (
    Brain,
    Call,
    CallTools,
    Conversation,
    Exchange,
    Fail,
    Hang,
    Say,
    Step,
    StopShort,
)
from local.emulator.errors import ApiError
from local.emulator.faults import act

WORKING = ("queued", "in_progress")


@dataclass
class _Stored:
    """A response: what was asked, what the model does about it, and when that shows."""

    id: str
    request: Mapping[str, Any]
    conversation: Conversation
    step: Step
    calls: dict[str, Call]
    created_at: float
    ready_at: float
    cancelled: bool = False

    @property
    def status(self) -> str:
        if self.cancelled:
            return "cancelled"
        if isinstance(self.step, Hang) or time.time() < self.ready_at:
            return "queued" if time.time() < (self.created_at + self.ready_at) / 2 else "in_progress"
        return {Fail: "failed", StopShort: "incomplete"}.get(type(self.step), "completed")


class Responses:
    """All responses of one server."""

    def __init__(self, brain: Brain, thinking_seconds: float) -> None:
        self._brain = brain
        self._thinking = thinking_seconds
        self._numbers = itertools.count(1)
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
            return self._weather(operation, asked.get("model", ""), lambda: self._create(asked))

        @routes.get("/responses/<id_>")
        def poll(id_: str) -> Response:
            stored = self._find(id_)
            return self._weather("poll", stored.request["model"], lambda: stored)

        @routes.post("/responses/<id_>/cancel")
        def cancel(id_: str) -> Response:
            stored = self._find(id_)
            return self._weather("cancel", stored.request["model"], lambda: self._cancel(stored))

        return routes

    def _weather(self, operation: str, model: str, work: Callable[[], _Stored]) -> Response:
        fault = self._brain.fault(model, operation)
        if fault is None:
            return jsonify(_document(work()))
        if fault.acted:
            work()
        return act(fault)

    def _find(self, id_: str) -> _Stored:
        if id_ not in self._stored:
            raise ApiError(404, f"Response with id '{id_}' not found.")
        return self._stored[id_]

    def _cancel(self, stored: _Stored) -> _Stored:
        if stored.status in WORKING:
            stored.cancelled = True
        return stored

    def _create(self, asked: Mapping[str, Any]) -> _Stored:
        if not asked.get("model"):
            raise ApiError(400, "Missing required parameter: 'model'.", param="model")
        if asked.get("background") and not asked.get("store", True):
            raise ApiError(400, "Background mode requires 'store' to be true.", param="store")
        conversation = self._conversation(asked)
        number = next(self._numbers)
        step = self._brain.think(asked["model"], conversation)
        calls = step.calls if isinstance(step, CallTools) else ()
        now = time.time()
        stored = _Stored(
            id=f"resp_{number:012x}",
            request=asked,
            conversation=conversation,
            step=step,
            calls={f"call_{number}_{i}": call for i, call in enumerate(calls, start=1)},
            created_at=now,
            ready_at=now + self._thinking,
        )
        self._stored[stored.id] = stored
        return stored

    def _conversation(self, asked: Mapping[str, Any]) -> Conversation:
        tools = tuple(tool["name"] for tool in asked.get("tools") or ())
        given = asked.get("input") or ""
        items = [{"role": "user", "content": given}] if isinstance(given, str) else given
        outputs = {i["call_id"]: i["output"] for i in items if i.get("type") == "function_call_output"}
        prompt = " ".join(str(item["content"]) for item in items if "content" in item)
        before = asked.get("previous_response_id")
        if before is None:
            _no_strangers(outputs, {})
            return Conversation(prompt, tools)
        if before not in self._stored:
            raise ApiError(
                400,
                f"Previous response with id '{before}' not found.",
                code="previous_response_not_found",
                param="previous_response_id",
            )
        previous = self._stored[before]
        for call_id in previous.calls:
            if call_id not in outputs:
                words = f"No tool output found for function call {call_id}."
                raise ApiError(400, words, param="input")
        _no_strangers(outputs, previous.calls)
        if previous.calls:
            round_ = tuple(Exchange(call, outputs[id_]) for id_, call in previous.calls.items())
            rounds = (*previous.conversation.rounds, round_)
            return Conversation(previous.conversation.prompt, tools, rounds)
        return Conversation(prompt, tools)


def _no_strangers(outputs: Mapping[str, str], calls: Mapping[str, Call]) -> None:
    for call_id in outputs:
        if call_id not in calls:
            words = f"No tool call found for function call output with call_id {call_id}."
            raise ApiError(400, words, param="input")


def _document(stored: _Stored) -> dict[str, Any]:
    """A response as the API shows it."""
    status, step = stored.status, stored.step
    done = status not in WORKING and status != "cancelled"
    output = _output(stored) if done else []
    asked = stored.request
    return {
        "id": stored.id,
        "object": "response",
        "created_at": int(stored.created_at),
        "completed_at": int(stored.ready_at) if status == "completed" else None,
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
    if isinstance(stored.step, Say):
        text = {"type": "output_text", "text": stored.step.text, "annotations": []}
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
        for call_id, call in stored.calls.items()
    ]


def _usage(stored: _Stored, output: list[dict[str, Any]]) -> dict[str, Any]:
    """Four characters a token, near enough for English."""
    conversation = stored.conversation
    read = len(conversation.prompt) + len(str(stored.request.get("instructions") or ""))
    read += sum(len(exchange.output) for round_ in conversation.rounds for exchange in round_)
    tokens_in, tokens_out = read // 4, len(str(output)) // 4
    return {
        "input_tokens": tokens_in,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": tokens_out,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": tokens_in + tokens_out,
    }
