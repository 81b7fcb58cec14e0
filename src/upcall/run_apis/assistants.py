"""The Assistants API (v2): threads and runs, translated into our words.

OpenAI switched it off on 2026-08-26; compatible servers still speak it. A run keeps its id through all
rounds, and all outputs of a round go in one request. It has no idempotency keys: what an earlier try
may have done is looked up before it is done again.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

from upcall import openai_client, settings
from upcall.assistants import Assistant
from upcall.errors import Refused
from upcall.models import Handle, LedgerEntry, Message, Snapshot, Status, ToolDefinition, ToolOutput
from upcall.openai_client import Answer, path_id
from upcall.run import Run
from upcall.run_apis.translate import (
    failure,
    objects,
    part,
    text_of,
    tool_call,
    unknown_status,
    unsupported_action,
    usage,
)

HEADERS = {"OpenAI-Beta": "assistants=v2"}

STATUSES: Mapping[str, Status] = {
    "queued": "queued",
    "in_progress": "in_progress",
    "requires_action": "requires_action",
    "cancelling": "cancelling",
    "cancelled": "cancelled",
    "failed": "failed",
    "completed": "completed",
    "incomplete": "incomplete",
    "expired": "expired",
}
"""Theirs to ours: the same words. A status that is not here ends the run as failed, with its name."""


def prepare(run: Run, assistant: Assistant, tools: Sequence[ToolDefinition]) -> Handle:
    """The server's assistant, and the thread with the prompt on it."""
    definition = _definition(run.model, assistant, tools)
    assistant_id = _assistant_id(settings.openai_base_url(), json.dumps(definition, sort_keys=True))
    return Handle(run_api="assistants", ids={"assistant_id": assistant_id, "thread_id": _thread(run)})


def create(
    run: Run,
    intent: Handle,
    assistant: Assistant,  # noqa: ARG001
    tools: Sequence[ToolDefinition],  # noqa: ARG001
    answered: Sequence[LedgerEntry] = (),  # noqa: ARG001  # a run that has called tools is not tried again
) -> Handle:
    """Start the run on its thread, unless an earlier try has."""
    runs, metadata = f"/threads/{intent.ids['thread_id']}/runs", {"run_id": run.execution}
    newest = _newest(runs)
    if newest.get("metadata") == metadata:
        run_id = path_id(newest)
    else:
        request: dict[str, Any] = {"assistant_id": intent.ids["assistant_id"], "metadata": metadata}
        if run.response_format is not None:
            request["response_format"] = run.response_format.model_dump()
        run_id = _post(runs, request).id
    return Handle(run_api="assistants", ids={**intent.ids, "run_id": run_id})


def poll(handle: Handle) -> Snapshot:
    """How the run stands."""
    answer = _get(_path(handle))
    body = answer.body
    used = _usage(body)
    theirs = str(body.get("status"))
    if theirs not in STATUSES:
        return unknown_status(theirs, used)
    status = STATUSES[theirs]
    if status in ("failed", "cancelled", "incomplete", "expired"):
        return Snapshot.failed(failure(status, body.get("last_error"), body.get("incomplete_details")), used)
    if status == "requires_action":
        action = part(body, "required_action")
        if action.get("type") != "submit_tool_outputs":
            return unsupported_action(action.get("type"), used)
        calls = tuple(_call(call) for call in _pending(body))
        return Snapshot.requires_action(calls, used) if calls else unsupported_action("no calls", used)
    if status == "completed":
        return Snapshot(status=status, usage=used)
    return Snapshot(status=status, pause_seconds=answer.poll_after_seconds or 0)


def submit(
    run: Run,  # noqa: ARG001
    assistant: Assistant,  # noqa: ARG001
    tools: Sequence[ToolDefinition],  # noqa: ARG001
    handle: Handle,
    outputs: Sequence[ToolOutput],
) -> Handle:
    """Answer all calls of the round in one request; a round that is answered already stays so."""
    items = [{"tool_call_id": each.call_id, "output": each.output} for each in outputs]
    try:
        _post(f"{_path(handle)}/submit_tool_outputs", {"tool_outputs": items})
    except Refused:
        pending = {str(call.get("id")) for call in _pending(_get(_path(handle)).body)}
        if pending & {each.call_id for each in outputs}:
            raise
    return handle


def message(handle: Handle) -> Message:
    """The newest message of the run on its thread, with the tokens of the whole run."""
    found = _get(f"/threads/{handle.ids['thread_id']}/messages", order="desc", limit=20).body
    texts = [
        text_of(each.get("content"))
        for each in objects(found.get("data"))
        if each.get("role") == "assistant" and each.get("run_id") == handle.ids["run_id"]
    ]
    return Message(text=texts[0] if texts else "", usage=_usage(_get(_path(handle)).body))


def cancel(handle: Handle) -> None:
    """Stop a run; one that has ended, or is gone, is left as it is."""
    with suppress(Refused):
        _post(f"{_path(handle)}/cancel")


def _definition(model: str, assistant: Assistant, tools: Sequence[ToolDefinition]) -> dict[str, Any]:
    functions = [{"type": "function", "function": {"strict": True, **tool.model_dump()}} for tool in tools]
    return {
        "model": model,
        "name": f"upcall-{assistant.name}",
        "instructions": assistant.instructions,
        "tools": functions,
    }


@cache
def _assistant_id(_base_url: str, definition: str) -> str:
    """The server's assistant of this definition, made once and found again by its fingerprint."""
    fingerprint = hashlib.sha256(definition.encode()).hexdigest()
    with suppress(Refused):  # a server that cannot list gets a new assistant from each cold start
        for each in objects(_get("/assistants", order="desc", limit=100).body.get("data")):
            if part(each, "metadata").get("upcall") == fingerprint:
                return path_id(each)
    return _post("/assistants", {**json.loads(definition), "metadata": {"upcall": fingerprint}}).id


def _thread(run: Run) -> str:
    """The thread with what the caller says on it: a new one, or that of the run that it continues."""
    messages = [
        {"role": item.role, "content": item.content, "metadata": {"run_id": run.run_id, "item": str(number)}}
        for number, item in enumerate(run.items)
    ]
    if run.previous is None:
        return _post("/threads", {"messages": messages, "metadata": {"run_id": run.run_id}}).id
    path = f"/threads/{run.previous.ids['thread_id']}/messages"
    newest = _newest(path).get("metadata")
    there = next((number for number, each in enumerate(messages, 1) if each["metadata"] == newest), 0)
    for message in messages[there:]:
        _post(path, message)
    return run.previous.ids["thread_id"]


def _newest(path: str) -> Mapping[str, Any]:
    """The newest of a list; nothing where the server cannot list."""
    with suppress(Refused):
        found = objects(_get(path, order="desc", limit=1).body.get("data"))
        return found[0] if found else {}
    return {}


def _pending(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return objects(part(part(body, "required_action"), "submit_tool_outputs").get("tool_calls"))


def _call(call: Mapping[str, Any]) -> Any:
    function = part(call, "function")
    return tool_call(call.get("id"), function.get("name"), function.get("arguments"))


def _usage(body: Mapping[str, Any]) -> Any:
    return usage(body.get("usage"), read="prompt_tokens", written="completion_tokens")


def _path(handle: Handle) -> str:
    return f"/threads/{handle.ids['thread_id']}/runs/{handle.ids['run_id']}"


def _get(path: str, **params: str | int) -> Answer:
    return openai_client.get(path, headers=HEADERS, **params)


def _post(path: str, body: Mapping[str, Any] | None = None) -> Answer:
    return openai_client.post(path, body, headers=HEADERS)
