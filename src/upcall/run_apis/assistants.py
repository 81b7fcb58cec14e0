"""The Assistants API (v2): threads and runs.

OpenAI switched it off on 2026-08-26; compatible servers still speak it. A run keeps its id through all
rounds, and all outputs of a round go into one request. There are no idempotency keys: before something is
repeated, the server is asked whether an earlier try has done it.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

from upcall import config
from upcall.domain.assistants import Assistant
from upcall.domain.errors import FieldError, RequestRejected
from upcall.domain.message_text import TextDelta
from upcall.domain.run import Run
from upcall.domain.status import Status
from upcall.domain.tool_calls import LedgerEntry, ToolCall, ToolDefinition
from upcall.domain.upstream_run import Message, UpstreamRun, UpstreamSnapshot
from upcall.run_apis import client
from upcall.run_apis.base import UpstreamRequest
from upcall.run_apis.client import parse_id
from upcall.run_apis.parsing import (
    is_passing,
    parse_failure,
    parse_message,
    parse_object,
    parse_objects,
    parse_tool_calls,
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


def unsupported_field(run: Run) -> FieldError | None:
    """The first field that a run on a thread does not have."""
    if run.completion_window is not None:
        return FieldError("completion_window", "the assistants run API does not support it")
    if run.stream:
        return FieldError("stream", "the assistants run API does not support it; responses does")
    return None


def has_completion_window() -> bool:
    """Only a background response has one."""
    return False


def can_resume_after_tool_calls() -> bool:
    """A thread takes messages, but neither calls nor outputs."""
    return False


def can_repeat_after_tool_calls() -> bool:
    """A thread does not hold the calls of a run that failed."""
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
    return _find_or_start(request.run, intent.ids)


def repeat(request: UpstreamRequest, failed: UpstreamRun, _: Sequence[LedgerEntry]) -> UpstreamRun:
    """Start another run on the thread, unless an earlier try has done so."""
    return _find_or_start(request.run, failed.ids)


def poll(upstream_run: UpstreamRun) -> UpstreamSnapshot:
    """The status of the run."""
    response = client.get(_path(upstream_run), headers=HEADERS, must_exist=True)
    body = response.body
    usage = parse_usage(body.get("usage"), input_name="prompt_tokens", output_name="completion_tokens")
    raw_status = str(body.get("status"))
    if raw_status not in STATUSES:
        return unknown_status(raw_status, usage)
    status = STATUSES[raw_status]
    if status in ("failed", "cancelled", "incomplete", "expired"):
        failure = parse_failure(status, body.get("last_error"), body.get("incomplete_details"))
        return UpstreamSnapshot.failed(failure, usage, repeat=is_passing(failure))
    if status == "requires_action":
        action = parse_object(body, "required_action")
        if action.get("type") != "submit_tool_outputs":
            return unsupported_action(action.get("type"), usage)
        calls = _pending_calls(body)
        if not calls:
            return unsupported_action("no calls", usage)
        return UpstreamSnapshot.requires_action(calls, usage)
    if status == "completed":
        return UpstreamSnapshot(status=status, usage=usage)
    return UpstreamSnapshot(status=status, pause_seconds=response.poll_after_seconds or 0)


def stream_text(_: UpstreamRun, after: int | None, seconds: float) -> Iterator[TextDelta]:  # noqa: ARG001
    """Nothing: `unsupported_field` rejects runs that are to be streamed."""
    return iter(())


def submit(_: UpstreamRequest, upstream_run: UpstreamRun, answers: Sequence[LedgerEntry]) -> UpstreamRun:
    """Submit all outputs in one request, unless an earlier try has done so.

    The run may wait for calls of the next round by then, which may have the same ids.
    """
    items = [{"tool_call_id": each.call.call_id, "output": each.output.output} for each in answers]
    path = _path(upstream_run)
    if not _is_waiting_for(answers, upstream_run):
        return upstream_run
    try:
        client.post(f"{path}/submit_tool_outputs", {"tool_outputs": items}, headers=HEADERS)
    except RequestRejected:
        if _is_waiting_for(answers, upstream_run):
            raise
    return upstream_run


def get_message(run: Run, upstream_run: UpstreamRun) -> Message:
    """The newest message of the run on its thread, with the tokens of the whole run."""
    path = f"/threads/{upstream_run.ids['thread_id']}/messages"
    messages = parse_objects(
        client.get(path, {"order": "desc", "limit": 20}, headers=HEADERS).body.get("data")
    )
    contents = [
        message.get("content")
        for message in messages
        if message.get("role") == "assistant" and message.get("run_id") == upstream_run.ids["run_id"]
    ]
    body = client.get(_path(upstream_run), headers=HEADERS, must_exist=True).body
    usage = parse_usage(body.get("usage"), input_name="prompt_tokens", output_name="completion_tokens")
    return parse_message(run, contents[:1], usage)


def webhook_id(_: UpstreamRun) -> str | None:
    """None: this API has no webhooks."""
    return None


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
        found = client.get("/assistants", {"order": "desc", "limit": 100}, headers=HEADERS).body
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


def _find_or_start(run: Run, ids: Mapping[str, str]) -> UpstreamRun:
    """The run on a thread: the newest one if it is this run's and not the one among the ids, or a new one."""
    path, metadata = f"/threads/{ids['thread_id']}/runs", {"run_id": run.execution_name}
    newest = _newest(path)
    if newest.get("metadata") == metadata and newest.get("id") != ids.get("run_id"):
        run_id = parse_id(newest)
    else:
        fields = {
            "assistant_id": ids["assistant_id"],
            "metadata": metadata,
            "response_format": run.response_format and run.response_format.model_dump(),
            "instructions": run.instructions,
            "temperature": run.temperature,
            "max_completion_tokens": run.max_output_tokens,
            "reasoning_effort": run.reasoning and run.reasoning.effort,
        }
        body = {name: value for name, value in fields.items() if value is not None}
        run_id = client.post(path, body, headers=HEADERS).id
    return UpstreamRun(run_api="assistants", ids={**ids, "run_id": run_id})


def _newest(path: str) -> Mapping[str, Any]:
    """The newest object of a list; an empty one if the server cannot list."""
    with suppress(RequestRejected):
        found = parse_objects(
            client.get(path, {"order": "desc", "limit": 1}, headers=HEADERS).body.get("data")
        )
        return found[0] if found else {}
    return {}


def _is_waiting_for(answers: Sequence[LedgerEntry], upstream_run: UpstreamRun) -> bool:
    pending = _pending_calls(client.get(_path(upstream_run), headers=HEADERS, must_exist=True).body)
    answered = {answer.call.fingerprint for answer in answers}
    return any(call.fingerprint in answered for call in pending)


def _pending_calls(body: Mapping[str, Any]) -> tuple[ToolCall, ...]:
    action = parse_object(parse_object(body, "required_action"), "submit_tool_outputs")
    return parse_tool_calls(
        (call.get("id"), function.get("name"), function.get("arguments"))
        for call in parse_objects(action.get("tool_calls"))
        for function in [parse_object(call, "function")]
    )


def _path(upstream_run: UpstreamRun) -> str:
    return f"/threads/{upstream_run.ids['thread_id']}/runs/{upstream_run.ids['run_id']}"
