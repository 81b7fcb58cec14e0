"""The objects of the Assistants API in its JSON format, and the checks of their fields."""

import secrets
import time
from collections.abc import Mapping
from typing import Any, TypeVar

from flask import request

from local.openai_emulator.assistant_threads import TERMINAL_STATUSES, Document, Run, Thread
from local.openai_emulator.conversation import EndIncomplete, Fail, Say
from local.openai_emulator.errors import ApiError
from local.openai_emulator.turn import Turn

T = TypeVar("T")


def find(kind: str, objects: Mapping[str, T], id_: str) -> T:
    """The object with that id. Rejects the request if there is none."""
    if id_ not in objects:
        raise ApiError(404, f"No {kind} found with id '{id_}'.")
    return objects[id_]


def require(fields: Mapping[str, Any], name: str, path: str = "") -> Any:
    """The value of a field. Rejects the request if it is missing."""
    if fields.get(name) is None:
        param = path + name
        raise ApiError(400, f"Missing required parameter: '{param}'.", param=param)
    return fields[name]


def page(kind: str, objects: list[Document]) -> Document:
    """A page of these objects, oldest first, by the request's `run_id`, `order`, `after` and `limit`."""
    run_id = request.args.get("run_id")
    selected = [each for each in objects if run_id in (None, each.get("run_id"))]
    ordered = selected if request.args.get("order") == "asc" else selected[::-1]
    if after := request.args.get("after"):
        ordered = ordered[find(kind, {each["id"]: i for i, each in enumerate(ordered, 1)}, after) :]
    data = ordered[: request.args.get("limit", 20, type=int)]
    first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    has_more = len(ordered) > len(data)
    return {"object": "list", "data": data, "first_id": first, "last_id": last, "has_more": has_more}


def new_document(prefix: str, kind: str, fields: Mapping[str, Any]) -> Document:
    """The fields of every new object.

    Ids are random, because clients keep them longer than this server runs.
    """
    id_, now = f"{prefix}_{secrets.token_hex(12)}", int(time.time())
    return {"id": id_, "object": kind, "created_at": now, "metadata": fields.get("metadata") or {}}


def settings(fields: Mapping[str, Any], inherited: Mapping[str, Any] | None = None) -> Document:
    """The settings of an assistant, or of a run, which may override its assistant's."""
    given = {**(inherited or {}), **{name: each for name, each in fields.items() if each is not None}}
    tools = given.get("tools", [])
    for i, tool in enumerate(tools):
        if tool.get("type") == "function":  # nested, unlike in the Responses API
            require(require(tool, "function", f"tools[{i}]."), "name", f"tools[{i}].function.")
    return {
        "model": require(given, "model"),
        "instructions": given.get("instructions"),
        "tools": tools,
        "response_format": given.get("response_format", "auto"),
    }


def message_document(thread_id: str, fields: Mapping[str, Any]) -> Document:
    """A new message."""
    content = require(fields, "content")
    text = content if isinstance(content, str) else "\n".join(part["text"] for part in content)
    return {
        **new_document("msg", "thread.message", fields),
        "thread_id": thread_id,
        "role": require(fields, "role"),
        "content": [{"type": "text", "text": {"value": text, "annotations": []}}],
        "status": "completed",
        "assistant_id": None,
        "run_id": None,
    }


def message_documents(thread: Thread) -> list[Document]:
    """The messages of a thread, with the final messages of its runs, oldest first."""
    documents = (_final_message(each) if isinstance(each, Run) else each for each in thread.entries)
    return [document for document in documents if document]


def run_document(run: Run) -> Document:
    """A run."""
    status, step, done_at = run.status, run.turn.step, int(run.turn.done_at)
    error = {"code": step.code, "message": step.message} if isinstance(step, Fail) else None
    details = {"reason": step.reason} if isinstance(step, EndIncomplete) else None
    return {
        **run.document,
        "status": status,
        "instructions": run.document["instructions"] or "",
        "required_action": _required_action(run.turn) if status == "requires_action" else None,
        "last_error": error if status == "failed" else None,
        "incomplete_details": details if status == "incomplete" else None,
        "expires_at": None if status in TERMINAL_STATUSES else run.document["created_at"] + 600,
        "completed_at": done_at if status == "completed" else None,
        "failed_at": done_at if status == "failed" else None,
        "cancelled_at": run.cancelled_at,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "usage": _usage(run) if status in TERMINAL_STATUSES else None,
    }


def _final_message(run: Run) -> Document | None:
    if run.status != "completed" or not isinstance(run.turn.step, Say):
        return None
    document = message_document(
        run.document["thread_id"], {"role": "assistant", "content": run.turn.step.text}
    )
    origin = {"id": f"msg_{run.id}", "created_at": int(run.turn.done_at), "run_id": run.id}
    return {**document, **origin, "assistant_id": run.document["assistant_id"]}


def _required_action(turn: Turn) -> Document:
    calls = [
        {"id": id_, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for id_, call in turn.calls.items()
    ]
    return {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": calls}}


def _usage(run: Run) -> Document:
    instructions = run.document["instructions"] or ""
    input_tokens = sum(turn.input_tokens(instructions) for turn in run.turns)
    cached_tokens = sum(turn.cached_tokens(instructions) for turn in run.turns)
    output_tokens = sum(len(str(turn.step)) // 4 for turn in run.turns if turn.phase == "done")
    total = input_tokens + output_tokens
    return {
        "prompt_tokens": input_tokens,
        "prompt_tokens_details": {"cached_tokens": cached_tokens},
        "completion_tokens": output_tokens,
        "completion_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": total,
    }
