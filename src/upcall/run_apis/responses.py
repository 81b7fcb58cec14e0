"""The Responses API in background mode.

A turn that calls tools is a response that is `completed` and holds `function_call` items. Their outputs are
the input of a new response, which names that one as the previous response. Instructions and tools are not
inherited from it and are sent with every turn. Reference:
https://platform.openai.com/docs/api-reference/responses.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from upcall.domain.errors import FieldError, RequestRejected
from upcall.domain.message_text import TextDelta
from upcall.domain.run import Run
from upcall.domain.status import Status
from upcall.domain.tool_calls import LedgerEntry, ToolOutput
from upcall.domain.upstream_run import Message, UpstreamRun, UpstreamSnapshot
from upcall.run_apis import client, server_events
from upcall.run_apis.base import UpstreamRequest
from upcall.run_apis.parsing import (
    MESSAGE_SEPARATOR,
    is_passing,
    parse_failure,
    parse_message,
    parse_object,
    parse_objects,
    parse_tool_calls,
    parse_usage,
    split_surrogate,
    unknown_status,
    unsupported_action,
)

STATUSES: Mapping[str | None, Status] = {
    "queued": "queued",
    "in_progress": "in_progress",
    "completed": "completed",  # or requires_action, if the response holds function calls
    "failed": "failed",
    "cancelled": "cancelled",
    "incomplete": "incomplete",
    None: "completed",  # servers that answer only when they are done may leave it out
}
"""The API's statuses to ours. A status that is not listed fails the run and is named in the failure."""

END_EVENTS = ("response.completed", "response.failed", "response.incomplete")

UNSUPPORTED_ITEMS = ("mcp_approval_request", "computer_call", "custom_tool_call", "local_shell_call")
"""Items that wait for an answer and are not function calls."""


def unsupported_field(_: Run) -> FieldError | None:
    """Every field is supported."""
    return None


def has_completion_window() -> bool:
    """A background response has one."""
    return True


def can_resume_after_tool_calls() -> bool:
    """A new response takes calls and outputs as input items."""
    return True


def can_repeat_after_tool_calls() -> bool:
    """The same outputs follow the same response."""
    return True


def conversation_to_retry_in(run: Run) -> UpstreamRun | None:
    """The response that the run continued at first. What a failed attempt has added is not used."""
    return run.previous_upstream_run


def prepare(_: UpstreamRequest) -> UpstreamRun:
    """Nothing to prepare: one request creates a response."""
    return UpstreamRun(run_api="responses", ids={})


def create(request: UpstreamRequest, _: UpstreamRun, answered_calls: Sequence[LedgerEntry]) -> UpstreamRun:
    """Create the first response of an attempt."""
    run = request.run
    items: list[dict[str, Any]] = [{"role": item.role, "content": item.content} for item in run.items]
    for entry in answered_calls:
        items.append({"type": "function_call", **entry.call.model_dump()})
        items.append(_output_item(entry.output))
    turn: dict[str, Any] = {"input": items if answered_calls else run.prompt or items}
    if run.previous_upstream_run is not None:
        turn["previous_response_id"] = run.previous_upstream_run.ids["response_id"]
    return _create_response(request, turn)


def repeat(
    request: UpstreamRequest, failed: UpstreamRun, answered_calls: Sequence[LedgerEntry]
) -> UpstreamRun:
    """Create the response again: the one that followed tool calls, or the first one of an attempt."""
    previous = failed.ids.get("answered_response_id")
    if previous is None:
        return create(request, failed, answered_calls)
    return _create_next_response(
        request, previous, [each for each in answered_calls if each.round == request.run.round]
    )


def poll(upstream_run: UpstreamRun) -> UpstreamSnapshot:
    """The status of the newest response."""
    response = client.get(_path(upstream_run), must_exist=True)
    body = response.body
    usage = parse_usage(body.get("usage"))
    raw_status = body.get("status")
    key = None if raw_status is None else str(raw_status)
    if key not in STATUSES:
        return unknown_status(key, usage)
    status = STATUSES[key]
    if status in ("failed", "cancelled", "incomplete"):
        failure = parse_failure(status, body.get("error"), body.get("incomplete_details"))
        return UpstreamSnapshot.failed(failure, usage, repeat=is_passing(failure))
    if status != "completed":
        return UpstreamSnapshot(status=status, pause_seconds=response.poll_after_seconds or 0)
    calls = parse_tool_calls(
        (item.get("call_id") or item.get("id"), item.get("name"), item.get("arguments"))
        for item in _items(body, "function_call")
    )
    for item in _items(body, *UNSUPPORTED_ITEMS):
        return unsupported_action(item["type"], usage)
    if calls:
        return UpstreamSnapshot.requires_action(calls, usage)
    if body.get("error") and not _items(body, "message"):
        failure = parse_failure("failed", body["error"])
        return UpstreamSnapshot.failed(failure, usage, repeat=is_passing(failure))
    if raw_status is None and "output" not in body:
        return unknown_status(None, usage)
    return UpstreamSnapshot(status=status, usage=usage)


def stream_text(upstream_run: UpstreamRun, after: int | None, seconds: float) -> Iterator[TextDelta]:
    """The text of the newest response without commentary, as its stream brings it.

    A message whose beginning the stream does not show is the one that was written at the position `after`.
    OpenAI ends such streams 5 minutes after the response was created
    (https://github.com/openai/openai-python/issues/2828).
    """
    params: dict[str, str | int] = {"stream": "true"}
    position = -1
    if after is not None:
        params["starting_after"] = position = after
    commentary: set[str] = set()
    separator, half, has_text = "", "", after is not None
    for event in server_events.get_events(_path(upstream_run), params, seconds):
        kind, item, text = event.get("type"), parse_object(event, "item"), ""
        position = _parse_position(event.get("sequence_number"), position)
        if kind == "response.output_item.added" and item.get("type") == "message":
            if item.get("phase") == "commentary":
                commentary.add(str(item.get("id")))
            elif has_text:
                separator = MESSAGE_SEPARATOR
        elif kind == "response.output_text.delta" and str(event.get("item_id")) not in commentary:
            written = event.get("delta")
            text, half = split_surrogate(half + separator + (written if isinstance(written, str) else ""))
            separator, has_text = "", True
        yield TextDelta(position, text)
        if kind in END_EVENTS:
            return


def submit(
    request: UpstreamRequest, upstream_run: UpstreamRun, answers: Sequence[LedgerEntry]
) -> UpstreamRun:
    """Create the response that follows the one with the calls."""
    return _create_next_response(request, upstream_run.ids["response_id"], answers)


def get_message(run: Run, upstream_run: UpstreamRun) -> Message:
    """The text of the newest response without commentary, with the tokens of that response alone."""
    body = client.get(_path(upstream_run), must_exist=True).body
    contents = [item.get("content") for item in _items(body, "message") if item.get("phase") != "commentary"]
    return parse_message(run, contents, parse_usage(body.get("usage")))


def webhook_id(upstream_run: UpstreamRun) -> str | None:
    """The response: `response.completed` names it, also if it calls tools."""
    return upstream_run.ids["response_id"]


def cancel(upstream_run: UpstreamRun) -> None:
    """Cancel the response."""
    with suppress(
        RequestRejected
    ):  # 400, 404 or 409, depending on the server: there is nothing left to cancel
        client.post(f"{_path(upstream_run)}/cancel")


def _parse_position(number: object, otherwise: int) -> int:
    """The number of an event, if it can be one. Some servers do not number them."""
    return number if type(number) is int and 0 <= number < 10**12 else otherwise


def _create_next_response(
    request: UpstreamRequest, previous: str, answers: Sequence[LedgerEntry]
) -> UpstreamRun:
    """Create the response that follows tool calls. Its ids name the one with the calls, too."""
    items = [_output_item(answer.output) for answer in answers]
    created = _create_response(request, {"previous_response_id": previous, "input": items})
    return UpstreamRun(run_api="responses", ids={**created.ids, "answered_response_id": previous})


def _create_response(request: UpstreamRequest, turn: Mapping[str, Any]) -> UpstreamRun:
    run, tools = request.run, request.tools
    body: dict[str, Any] = {
        "model": run.model,
        "instructions": request.instructions,
        "background": True,
        "store": True,  # a background response can be polled only if it is stored
        "metadata": {"run_id": run.run_id},
        **turn,
    }
    options = {
        "temperature": run.temperature,
        "max_output_tokens": run.max_output_tokens,
        "reasoning": run.reasoning and run.reasoning.model_dump(),
        "background_options": run.completion_window and {"completion_window": run.completion_window},
    }
    body |= {name: value for name, value in options.items() if value is not None}
    if run.response_format is not None:
        body["text"] = {"format": {"type": "json_schema", **run.response_format.json_schema}}
    if tools:
        body["tools"] = [{"type": "function", "strict": True, **tool.model_dump()} for tool in tools]
    if run.stream:
        created = client.parse_id(parse_object(server_events.create("/responses", body), "response"))
    else:
        created = client.post("/responses", body).id
    return UpstreamRun(run_api="responses", ids={"response_id": created})


def _output_item(output: ToolOutput) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": output.call_id, "output": output.output}


def _path(upstream_run: UpstreamRun) -> str:
    return f"/responses/{upstream_run.ids['response_id']}"


def _items(body: Mapping[str, Any], *types: str) -> list[Mapping[str, Any]]:
    return [item for item in parse_objects(body.get("output")) if item.get("type") in types]
