"""What the run APIs say alike, in our words: errors, usage, calls. Tolerant, for servers differ."""

import json
from collections.abc import Mapping
from typing import Any

from upcall.models import Failure, FailureStatus, Snapshot, ToolCall, Usage


def failure(status: FailureStatus, error: object, details: object = None) -> Failure:
    """Why a run ended: from `{code, message}` or mere words, and `{reason}`; each may be missing."""
    told = error if isinstance(error, Mapping) else {"message": error}
    reason = details.get("reason") if isinstance(details, Mapping) else None
    code = str(told.get("code") or reason or status)
    words = told.get("message") or f"the run ended as {status}: {code}"
    return Failure(status=status, code=code, message=str(words))


def unknown_status(theirs: object, used: Usage) -> Snapshot:
    """A status that no table knows ends the run, with its name."""
    words = f"the server said {theirs!r}, which is no status that Upcall knows"
    return Snapshot.given_up(Failure(code="unknown_status", message=words), used)


def unsupported_action(theirs: object, used: Usage) -> Snapshot:
    """A required action that is not a function call ends the run, with its name."""
    words = f"the server waits for {theirs!r}, which Upcall cannot do; it answers function calls"
    return Snapshot.given_up(Failure(code="unsupported_action", message=words), used)


def tool_call(call_id: object, name: object, arguments: object) -> ToolCall:
    """A tool call. Arguments may come as JSON text or as the value itself."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return ToolCall(call_id=str(call_id), name=str(name), arguments=text)


def usage(counts: object, *, read: str = "input_tokens", written: str = "output_tokens") -> Usage:
    """Tokens, by the names that the run API gives them; what is missing counts as none."""
    known = counts if isinstance(counts, Mapping) else {}
    return Usage(
        input_tokens=known.get(read) or 0,
        output_tokens=known.get(written) or 0,
        total_tokens=known.get("total_tokens") or 0,
    )


def text_of(content: object) -> str:
    """The text in a message's content: a string, or parts whose text is plain or under `value`."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(_part(part) for part in parts if isinstance(part, Mapping))


def _part(part: Mapping[str, Any]) -> str:
    text = part.get("text") or part.get("refusal") or ""
    return str(text.get("value") or "") if isinstance(text, Mapping) else str(text)
