"""The Assistants API (v2): threads and runs.

OpenAI switched it off on 2026-08-26; compatible servers still speak it. A run keeps its id through all
rounds, and all outputs of a round go into one request. There are no idempotency keys: before something is
repeated, the server is asked whether an earlier try has done it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

from upcall import config
from upcall.domain.assistants import Assistant
from upcall.domain.errors import FieldError, RequestRejected
from upcall.domain.run import Run
from upcall.domain.status import Status
from upcall.domain.tool_calls import LedgerEntry, ToolDefinition, ToolOutput
from upcall.domain.upstream_run import Message, UpstreamRun, UpstreamSnapshot
from upcall.run_apis import client
from upcall.run_apis.base import UpstreamRequest
from upcall.run_apis.client import parse_id
from upcall.run_apis.parsing import (
    parse_failure,
    parse_object,
    parse_objects,
    parse_text,
    parse_tool_call,
    parse_usage,
    unknown_status,
    unsupported_action,
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
"""The API's statuses to ours. A status that is not listed fails the run and is named in the failure."""


def unsupported_field(_: Run) -> FieldError | None:
    """Every field is supported."""
    return None


def can_resume_after_tool_calls() -> bool:
    """A thread takes messages, but neither calls nor outputs."""
    return False


def conversation_to_retry_in(run: Run) -> UpstreamRun | None:
    """The thread that the run continued at first."""
    return run.previous_upstream_run


def prepare(request: UpstreamRequest) -> UpstreamRun:
    """Find or create the server's assistant, and the thread with the prompt on it."""
    definition = _definition(request.run.model, request.assistant, request.tools)
    assistant_id = _find_or_create_assistant(config.openai_base_url(), json.dumps(definition, sort_keys=True))
    thread_id = _find_or_create_thread(request.run)
    return UpstreamRun(run_api="assistants", ids={"assistant_id": assistant_id, "thread_id": thread_id})


def create(request: UpstreamRequest, intent: UpstreamRun, _: Sequence[LedgerEntry]) -> UpstreamRun:
    """Start the run on its thread, unless an earlier try has done so."""
    run = request.run
    runs_path, metadata = f"/threads/{intent.ids['thread_id']}/runs", {"run_id": run.execution_name}
    newest = _newest(runs_path)
    if newest.get("metadata") == metadata:
        run_id = parse_id(newest)
    else:
        body: dict[str, Any] = {"assistant_id": intent.ids["assistant_id"], "metadata": metadata}
        if run.response_format is not None:
            body["response_format"] = run.response_format.model_dump()
        run_id = client.post(runs_path, body, headers=HEADERS).id
    return UpstreamRun(run_api="assistants", ids={**intent.ids, "run_id": run_id})


def poll(upstream_run: UpstreamRun) -> UpstreamSnapshot:
    """The status of the run."""
    response = client.get(_path(upstream_run), headers=HEADERS)
    body = response.body
    usage = parse_usage(body.get("usage"), input_name="prompt_tokens", output_name="completion_tokens")
    raw_status = str(body.get("status"))
    if raw_status not in STATUSES:
        return unknown_status(raw_status, usage)
    status = STATUSES[raw_status]
    if status in ("failed", "cancelled", "incomplete", "expired"):
        failure = parse_failure(status, body.get("last_error"), body.get("incomplete_details"))
        return UpstreamSnapshot.failed(failure, usage)
    if status == "requires_action":
        action = parse_object(body, "required_action")
        if action.get("type") != "submit_tool_outputs":
            return unsupported_action(action.get("type"), usage)
        calls = tuple(
            parse_tool_call(call.get("id"), function.get("name"), function.get("arguments"))
            for call in _pending_calls(body)
            for function in [parse_object(call, "function")]
        )
        if not calls:
            return unsupported_action("no calls", usage)
        return UpstreamSnapshot.requires_action(calls, usage)
    if status == "completed":
        return UpstreamSnapshot(status=status, usage=usage)
    return UpstreamSnapshot(status=status, pause_seconds=response.poll_after_seconds or 0)


def submit(_: UpstreamRequest, upstream_run: UpstreamRun, outputs: Sequence[ToolOutput]) -> UpstreamRun:
    """Submit all outputs in one request. A round that was submitted already stays as it is."""
    items = [{"tool_call_id": output.call_id, "output": output.output} for output in outputs]
    path = _path(upstream_run)
    try:
        client.post(f"{path}/submit_tool_outputs", {"tool_outputs": items}, headers=HEADERS)
    except RequestRejected:
        pending = {str(call.get("id")) for call in _pending_calls(client.get(path, headers=HEADERS).body)}
        if pending & {output.call_id for output in outputs}:
            raise
    return upstream_run


def get_message(upstream_run: UpstreamRun) -> Message:
    """The newest message of the run on its thread, with the tokens of the whole run."""
    path = f"/threads/{upstream_run.ids['thread_id']}/messages"
    messages = parse_objects(client.get(path, headers=HEADERS, order="desc", limit=20).body.get("data"))
    texts = [
        parse_text(message.get("content"))
        for message in messages
        if message.get("role") == "assistant" and message.get("run_id") == upstream_run.ids["run_id"]
    ]
    run = client.get(_path(upstream_run), headers=HEADERS).body
    usage = parse_usage(run.get("usage"), input_name="prompt_tokens", output_name="completion_tokens")
    return Message(text=texts[0] if texts else "", usage=usage)


def cancel(upstream_run: UpstreamRun) -> None:
    """Cancel the run."""
    with suppress(RequestRejected):
        client.post(f"{_path(upstream_run)}/cancel", headers=HEADERS)


def _definition(model: str, assistant: Assistant, tools: Sequence[ToolDefinition]) -> dict[str, Any]:
    functions = [{"type": "function", "function": {"strict": True, **tool.model_dump()}} for tool in tools]
    return {
        "model": model,
        "name": f"upcall-{assistant.name}",
        "instructions": assistant.instructions,
        "tools": functions,
    }


@cache
def _find_or_create_assistant(_base_url: str, definition: str) -> str:
    """The id of the server's assistant of this definition. Its metadata hold the definition's fingerprint."""
    fingerprint = hashlib.sha256(definition.encode()).hexdigest()
    with suppress(RequestRejected):  # a server that cannot list gets a new assistant with each cold start
        found = client.get("/assistants", headers=HEADERS, order="desc", limit=100).body
        for assistant in parse_objects(found.get("data")):
            if parse_object(assistant, "metadata").get("upcall") == fingerprint:
                return parse_id(assistant)
    body = {**json.loads(definition), "metadata": {"upcall": fingerprint}}
    return client.post("/assistants", body, headers=HEADERS).id


def _find_or_create_thread(run: Run) -> str:
    """The id of the thread with the run's input on it: a new one, or that of the run that it continues."""
    messages = [
        {"role": item.role, "content": item.content, "metadata": {"run_id": run.run_id, "item": str(number)}}
        for number, item in enumerate(run.items)
    ]
    if run.previous_upstream_run is None:
        body = {"messages": messages, "metadata": {"run_id": run.run_id}}
        return client.post("/threads", body, headers=HEADERS).id
    thread_id = run.previous_upstream_run.ids["thread_id"]
    path = f"/threads/{thread_id}/messages"
    newest = _newest(path).get("metadata")
    added = next((number for number, each in enumerate(messages, 1) if each["metadata"] == newest), 0)
    for message in messages[added:]:
        client.post(path, message, headers=HEADERS)
    return thread_id


def _newest(path: str) -> Mapping[str, Any]:
    """The newest object of a list; an empty one if the server cannot list."""
    with suppress(RequestRejected):
        found = parse_objects(client.get(path, headers=HEADERS, order="desc", limit=1).body.get("data"))
        return found[0] if found else {}
    return {}


def _pending_calls(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    action = parse_object(parse_object(body, "required_action"), "submit_tool_outputs")
    return parse_objects(action.get("tool_calls"))


def _path(upstream_run: UpstreamRun) -> str:
    return f"/threads/{upstream_run.ids['thread_id']}/runs/{upstream_run.ids['run_id']}"
