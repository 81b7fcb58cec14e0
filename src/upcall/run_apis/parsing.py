"""Parses what all run APIs send: errors, usage, tool calls. Tolerant, because servers differ."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from upcall.domain.errors import RequestRejected
from upcall.domain.failure import MAX_CODE_CHARACTERS, Failure
from upcall.domain.run import Run
from upcall.domain.status import FailureStatus
from upcall.domain.tool_calls import ToolCall
from upcall.domain.upstream_run import Message, UpstreamSnapshot
from upcall.domain.usage import Usage
from upcall.run_apis.client import MAX_MESSAGE_CHARACTERS, TOO_LARGE

MAX_CALL_ID_BYTES = 250
"""OpenAI's ids have at most 64 characters. Outputs pass through the workflow's state with them."""

MESSAGE_SEPARATOR = "\n\n"
"""Between several messages of a turn."""

_PASSING_CODES = {"rate_limit_exceeded", "server_error"}
"""Codes of failures: https://platform.openai.com/docs/api-reference/responses/object."""

_QUOTA_EXCEEDED = "You exceeded your current quota"
"""Begins the message of a failure that a pause does not help."""


def parse_objects(value: object) -> list[Mapping[str, Any]]:
    """The objects in a list; other elements are left out, and anything but a list has none."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def parse_object(value: object, name: str) -> Mapping[str, Any]:
    """The object in a field of an object; an empty one if there is none."""
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def parse_failure(status: FailureStatus, error: object, details: object = None) -> Failure:
    """Why a run ended: from `{code, message}` or a mere text, and `{reason}`; each may be missing."""
    fields = error if isinstance(error, Mapping) else {"message": error}
    reason = details.get("reason") if isinstance(details, Mapping) else None
    code = str(fields.get("code") or reason or status)[:MAX_CODE_CHARACTERS]
    message = fields.get("message") or f"the run ended as {status}: {code}"
    return Failure(status=status, code=code, message=str(message)[:MAX_MESSAGE_CHARACTERS])


def is_passing(failure: Failure) -> bool:
    """Whether a turn failed for a reason that passes, so that it may be requested again.

    The Assistants API gives a used-up quota and a request that is too large the code `rate_limit_exceeded`.
    """
    return (
        failure.status == "failed"
        and failure.code in _PASSING_CODES
        and not failure.message.startswith((TOO_LARGE, _QUOTA_EXCEEDED))
    )


def unknown_status(raw_status: object, usage: Usage) -> UpstreamSnapshot:
    """The snapshot of a run whose status is not listed: we stop it."""
    message = f"the server sent the status {_quote(raw_status)}, which Upcall does not know"
    return UpstreamSnapshot.stopped(Failure(code="unknown_status", message=message), usage)


def unsupported_action(action_type: object, usage: Usage) -> UpstreamSnapshot:
    """The snapshot of a run that waits for something other than function calls: we stop it."""
    message = f"the server waits for {_quote(action_type)}, which Upcall cannot do; it runs function calls"
    return UpstreamSnapshot.stopped(Failure(code="unsupported_action", message=message), usage)


def parse_tool_calls(calls: Iterable[tuple[object, object, object]]) -> tuple[ToolCall, ...]:
    """The tool calls of a round, from their ids, names and arguments.

    An id only leads an output back to its call: it must be there, and differ from the others of its round. It
    may have been used in another round. Raises RequestRejected for an id that cannot do that.
    """
    parsed = tuple(_parse_tool_call(*call) for call in calls)
    if len({call.call_id for call in parsed}) < len(parsed):
        raise RequestRejected("the server sent several tool calls with the same id", code="call_id")
    return parsed


def _parse_tool_call(call_id: object, name: object, arguments: object) -> ToolCall:
    if not isinstance(call_id, str) or not call_id:
        raise RequestRejected("the server sent a tool call without an id", code="call_id")
    if len(call_id.encode()) > MAX_CALL_ID_BYTES:
        raise RequestRejected("the server sent a tool call whose id is too long", code="call_id")
    return ToolCall(call_id=call_id, name=str(name), arguments=_parse_arguments(arguments))


def _parse_arguments(arguments: object) -> str:
    """The arguments as JSON text. Servers send text, the value itself, null, or text within text."""
    if arguments is None:
        return "{}"
    if not isinstance(arguments, str):
        return json.dumps(arguments, ensure_ascii=False)
    try:
        inner = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    if inner is None:
        return "{}"
    return inner if isinstance(inner, str) and inner.lstrip().startswith("{") else arguments


def parse_usage(
    counts: object, *, input_name: str = "input_tokens", output_name: str = "output_tokens"
) -> Usage:
    """Tokens, by the names that the run API uses. A missing count is 0.

    Cached and reasoning tokens are in details of input and output (`input_tokens_details.cached_tokens`).
    """
    known = counts if isinstance(counts, Mapping) else {}

    def detail(name: str, kind: str) -> int:
        details = known.get(f"{name}_details")
        return _parse_count(details.get(kind)) if isinstance(details, Mapping) else 0

    return Usage(
        input_tokens=_parse_count(known.get(input_name)),
        cached_tokens=detail(input_name, "cached_tokens"),
        cache_write_tokens=detail(input_name, "cache_write_tokens"),
        output_tokens=_parse_count(known.get(output_name)),
        reasoning_tokens=detail(output_name, "reasoning_tokens"),
        total_tokens=_parse_count(known.get("total_tokens")),
    )


def parse_message(run: Run, contents: Sequence[object], usage: Usage) -> Message:
    """The final message of a run from the contents of the model's messages, oldest first.

    Several messages are separated by an empty line. With a response format only the last one counts, because
    the others are not part of the JSON document.
    """
    if run.response_format is not None:
        contents = contents[-1:]
    texts = [_parse_text(content, "text") for content in contents]
    refusals = [_parse_text(content, "refusal") for content in contents]
    return Message(
        text=MESSAGE_SEPARATOR.join(filter(None, texts)),
        refusal=MESSAGE_SEPARATOR.join(filter(None, refusals)),
        usage=usage,
    )


def split_surrogate(text: str) -> tuple[str, str]:
    """The text as valid Unicode, and half of a character at its end, which the next part goes on with.

    Some servers cut characters beyond the basic plane in two, in JSON's escapes.
    """
    end = -1 if "\ud800" <= text[-1:] <= "\udbff" else len(text)
    whole = text[:end].encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return whole, text[end:]


def _parse_text(content: object, key: str) -> str:
    """The text or the refusal in a message's content: a string, or parts with it, directly or as `value`."""
    if isinstance(content, str):
        return content if key == "text" else ""
    parts = content if isinstance(content, list) else []
    return "".join(_parse_part(part, key) for part in parts if isinstance(part, Mapping))


def _parse_part(part: Mapping[str, Any], key: str) -> str:
    text = part.get(key) or ""
    return str(text.get("value") or "") if isinstance(text, Mapping) else str(text)


def _parse_count(value: object) -> int:
    """A number of tokens; 0 for anything but an integer that can be one."""
    return value if isinstance(value, int) and 0 <= value < 10**12 else 0


def _quote(value: object) -> str:
    return repr(value)[:MAX_CODE_CHARACTERS]
