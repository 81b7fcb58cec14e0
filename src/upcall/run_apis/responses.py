"""The Responses API in background mode, translated into our words.

A tool turn is a response that is `completed` and holds `function_call` items; its outputs go into a
new response that names it as the previous one. Instructions and tools are not inherited on the way:
they are sent again with every turn. Reference: https://platform.openai.com/docs/api-reference/responses.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from upcall import openai_client
from upcall.assistants import Assistant
from upcall.errors import Refused
from upcall.models import Handle, LedgerEntry, Message, Snapshot, Status, ToolDefinition, ToolOutput
from upcall.run import Run
from upcall.run_apis.translate import (
    failure,
    objects,
    text_of,
    tool_call,
    unknown_status,
    unsupported_action,
    usage,
)

STATUSES: Mapping[str | None, Status] = {
    "queued": "queued",
    "in_progress": "in_progress",
    "completed": "completed",  # or requires_action, if it holds function calls
    "failed": "failed",
    "cancelled": "cancelled",
    "incomplete": "incomplete",
    None: "completed",  # servers that answer at once may leave it out
}
"""Theirs to ours. A status that is not here ends the run as failed, with its name."""

WAITING_ITEMS = ("mcp_approval_request", "computer_call", "custom_tool_call", "local_shell_call")
"""Items that wait for an answer and are not function calls."""


def prepare(run: Run, assistant: Assistant, tools: Sequence[ToolDefinition]) -> Handle:  # noqa: ARG001
    """Nothing to prepare: a response is made in one request."""
    return Handle(run_api="responses", ids={})


def create(
    run: Run,
    intent: Handle,  # noqa: ARG001
    assistant: Assistant,
    tools: Sequence[ToolDefinition],
    answered: Sequence[LedgerEntry] = (),
) -> Handle:
    """Start the first response of a run, or of another attempt at it."""
    items: list[dict[str, Any]] = [{"role": item.role, "content": item.content} for item in run.items]
    for entry in answered:
        items.append({"type": "function_call", **entry.call.model_dump()})
        items.append(_output(entry.output))
    turn: dict[str, Any] = {"input": items if answered else run.prompt or items}
    if run.previous is not None:
        turn["previous_response_id"] = run.previous.ids["response_id"]
    return _respond(run, assistant, tools, turn)


def poll(handle: Handle) -> Snapshot:
    """How the latest response stands."""
    answer = openai_client.get(_path(handle))
    body = answer.body
    used = usage(body.get("usage"))
    told = body.get("status")
    theirs = None if told is None else str(told)
    if theirs not in STATUSES:
        return unknown_status(theirs, used)
    status = STATUSES[theirs]
    if status in ("failed", "cancelled", "incomplete"):
        return Snapshot.failed(failure(status, body.get("error"), body.get("incomplete_details")), used)
    if status != "completed":
        return Snapshot(status=status, pause_seconds=answer.poll_after_seconds or 0)
    calls = tuple(
        tool_call(item.get("call_id"), item.get("name"), item.get("arguments"))
        for item in _items(body, "function_call")
    )
    for item in _items(body, *WAITING_ITEMS):
        return unsupported_action(item["type"], used)
    return Snapshot.requires_action(calls, used) if calls else Snapshot(status=status, usage=used)


def submit(
    run: Run,
    assistant: Assistant,
    tools: Sequence[ToolDefinition],
    handle: Handle,
    outputs: Sequence[ToolOutput],
) -> Handle:
    """Answer the calls of a response with a new one that follows it."""
    items = [_output(output) for output in outputs]
    previous = handle.ids["response_id"]
    return _respond(run, assistant, tools, {"previous_response_id": previous, "input": items})


def message(handle: Handle) -> Message:
    """The text of a completed response, with the tokens of that response alone."""
    body = openai_client.get(_path(handle)).body
    text = "".join(text_of(item.get("content")) for item in _items(body, "message"))
    return Message(text=text, usage=usage(body.get("usage")))


def cancel(handle: Handle) -> None:
    """Stop a response; one that has ended, or is gone, is left as it is."""
    with suppress(Refused):  # 400, 404 or 409, by server: there is nothing left to cancel
        openai_client.post(f"{_path(handle)}/cancel")


def _respond(
    run: Run, assistant: Assistant, tools: Sequence[ToolDefinition], turn: Mapping[str, Any]
) -> Handle:
    body: dict[str, Any] = {
        "model": run.model,
        "instructions": assistant.instructions,
        "background": True,
        "store": True,  # background responses can be polled only where they are stored
        "metadata": {"run_id": run.run_id},
        **turn,
    }
    if run.response_format is not None:
        body["text"] = {"format": {"type": "json_schema", **run.response_format.json_schema}}
    if tools:
        body["tools"] = [{"type": "function", "strict": True, **tool.model_dump()} for tool in tools]
    answer = openai_client.post("/responses", body)
    return Handle(run_api="responses", ids={"response_id": answer.id})


def _output(output: ToolOutput) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": output.call_id, "output": output.output}


def _path(handle: Handle) -> str:
    return f"/responses/{handle.ids['response_id']}"


def _items(body: Mapping[str, Any], *kinds: str) -> list[Mapping[str, Any]]:
    return [item for item in objects(body.get("output")) if item.get("type") in kinds]
