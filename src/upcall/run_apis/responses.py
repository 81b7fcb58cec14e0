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
from upcall.models import (
    Failure,
    Handle,
    Message,
    Snapshot,
    Status,
    ToolCall,
    ToolDefinition,
    ToolOutput,
    Usage,
)
from upcall.run import Run

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


def create(run: Run, assistant: Assistant, tools: Sequence[ToolDefinition]) -> Handle:
    """Start the first response of a run."""
    return _respond(run, assistant, tools, {"input": run.prompt})


def poll(handle: Handle) -> Snapshot:
    """How the latest response stands."""
    answer = openai_client.get(_path(handle))
    return _snapshot(answer.body, answer.poll_after_seconds)


def submit(
    run: Run,
    assistant: Assistant,
    tools: Sequence[ToolDefinition],
    handle: Handle,
    outputs: Sequence[ToolOutput],
) -> Handle:
    """Answer the calls of a response with a new one that follows it."""
    items = [
        {"type": "function_call_output", "call_id": output.call_id, "output": output.output}
        for output in outputs
    ]
    previous = handle.ids["response_id"]
    return _respond(run, assistant, tools, {"previous_response_id": previous, "input": items})


def message(handle: Handle) -> Message:
    """The text of a completed response, with the tokens of that response alone."""
    body = openai_client.get(_path(handle)).body
    return Message(text=_text(body), usage=_usage(body))


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
    if tools:
        body["tools"] = [_function(tool) for tool in tools]
    answer = openai_client.post("/responses", body).body
    if not isinstance(answer.get("id"), str):
        raise Refused("the server's answer to POST /responses has no id", code="no_id")
    return Handle(run_api="responses", ids={"response_id": answer["id"]})


def _function(tool: ToolDefinition) -> dict[str, Any]:
    return {"type": "function", "strict": True, **tool.model_dump()}


def _path(handle: Handle) -> str:
    return f"/responses/{handle.ids['response_id']}"


def _snapshot(body: Mapping[str, Any], poll_after_seconds: float | None) -> Snapshot:
    usage = _usage(body)
    theirs = body.get("status")
    if theirs not in STATUSES:
        return Snapshot.failed(
            Failure(code="unknown_status", message=f"the Responses API said {theirs!r}"), usage
        )
    status = STATUSES[theirs]
    if status in ("failed", "cancelled", "incomplete"):
        return Snapshot.failed(_failure(status, body), usage)
    if status == "completed":
        calls = tuple(_call(item) for item in _items(body, "function_call"))
        if calls:
            return Snapshot.requires_action(calls, usage)
        return Snapshot(status=status, usage=usage)
    return Snapshot(status=status, pause_seconds=poll_after_seconds or 0)


def _failure(status: Any, body: Mapping[str, Any]) -> Failure:
    error = body.get("error") or {}
    if not isinstance(error, dict):  # some servers give the words alone
        error = {"message": error}
    details = body.get("incomplete_details") or {}
    code = str(error.get("code") or details.get("reason") or status)
    words = error.get("message") or f"the response ended as {status}: {code}"
    return Failure(status=status, code=code, message=str(words))


def _call(item: Mapping[str, Any]) -> ToolCall:
    return ToolCall(call_id=item["call_id"], name=item["name"], arguments=item["arguments"])


def _items(body: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    return [item for item in body.get("output") or () if item.get("type") == kind]


def _text(body: Mapping[str, Any]) -> str:
    """All text of all messages; a refusal is the model's answer too."""
    return "".join(
        part.get("text") or part.get("refusal") or ""
        for item in _items(body, "message")
        for part in item.get("content") or ()
    )


def _usage(body: Mapping[str, Any]) -> Usage:
    counts = body.get("usage") or {}
    return Usage(**{name: counts.get(name) or 0 for name in Usage.model_fields})
