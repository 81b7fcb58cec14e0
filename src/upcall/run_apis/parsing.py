"""Parses what all run APIs send: errors, usage, tool calls. Tolerant, because servers differ."""

import json
from collections.abc import Mapping
from typing import Any

from upcall.domain.errors import RequestRejected
from upcall.domain.failure import MAX_CODE_CHARACTERS, Failure
from upcall.domain.status import FailureStatus
from upcall.domain.tool_calls import ToolCall
from upcall.domain.upstream_run import UpstreamSnapshot
from upcall.domain.usage import Usage
from upcall.run_apis.client import MAX_MESSAGE_CHARACTERS

MAX_CALL_ID_BYTES = 250
"""A call's id is part of a table key (1,024 bytes) and of a cursor (256 characters)."""


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


def unknown_status(raw_status: object, usage: Usage) -> UpstreamSnapshot:
    """The snapshot of a run whose status is not listed: we stop it."""
    message = f"the server sent the status {_quote(raw_status)}, which Upcall does not know"
    return UpstreamSnapshot.stopped(Failure(code="unknown_status", message=message), usage)


def unsupported_action(action_type: object, usage: Usage) -> UpstreamSnapshot:
    """The snapshot of a run that waits for something other than function calls: we stop it."""
    message = f"the server waits for {_quote(action_type)}, which Upcall cannot do; it runs function calls"
    return UpstreamSnapshot.stopped(Failure(code="unsupported_action", message=message), usage)


def parse_tool_call(call_id: object, name: object, arguments: object) -> ToolCall:
    """A tool call. Arguments may be JSON text or the value itself.

    Raises RequestRejected for an id that is too long for the ledger.
    """
    if len(str(call_id).encode()) > MAX_CALL_ID_BYTES:
        raise RequestRejected("the server sent a tool call whose id is too long", code="call_id")
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return ToolCall(call_id=str(call_id), name=str(name), arguments=text)


def parse_usage(
    counts: object, *, input_name: str = "input_tokens", output_name: str = "output_tokens"
) -> Usage:
    """Tokens, by the names that the run API uses. A missing count is 0."""
    known = counts if isinstance(counts, Mapping) else {}
    return Usage(
        input_tokens=_parse_count(known.get(input_name)),
        output_tokens=_parse_count(known.get(output_name)),
        total_tokens=_parse_count(known.get("total_tokens")),
    )


def parse_text(content: object) -> str:
    """The text of a message's content: a string, or parts whose text is a string or under `value`."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(_parse_part(part) for part in parts if isinstance(part, Mapping))


def _parse_part(part: Mapping[str, Any]) -> str:
    text = part.get("text") or part.get("refusal") or ""
    return str(text.get("value") or "") if isinstance(text, Mapping) else str(text)


def _parse_count(value: object) -> int:
    """A number of tokens; 0 for anything but an integer that can be one."""
    return value if isinstance(value, int) and 0 <= value < 10**12 else 0


def _quote(value: object) -> str:
    return repr(value)[:MAX_CODE_CHARACTERS]
