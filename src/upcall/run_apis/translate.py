"""What the run APIs say alike, in our words: errors, usage, calls. Tolerant, for servers differ."""

import json
from collections.abc import Mapping
from typing import Any

from upcall.errors import Refused
from upcall.models import Failure, FailureStatus, Snapshot, ToolCall, Usage
from upcall.openai_client import MAX_CODE_CHARACTERS, MAX_WORDS_CHARACTERS

MAX_CALL_ID_BYTES = 250
"""It is part of a key of the table, of 1,024 bytes, and of a cursor of 256 characters."""


def objects(value: object) -> list[Mapping[str, Any]]:
    """The objects in a list; none where it is no list, and nothing for what else is in it."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def part(value: object, name: str) -> Mapping[str, Any]:
    """The object in that field of an object; an empty one where there is none."""
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def failure(status: FailureStatus, error: object, details: object = None) -> Failure:
    """Why a run ended: from `{code, message}` or mere words, and `{reason}`; each may be missing."""
    told = error if isinstance(error, Mapping) else {"message": error}
    reason = details.get("reason") if isinstance(details, Mapping) else None
    code = str(told.get("code") or reason or status)[:MAX_CODE_CHARACTERS]
    words = told.get("message") or f"the run ended as {status}: {code}"
    return Failure(status=status, code=code, message=str(words)[:MAX_WORDS_CHARACTERS])


def unknown_status(theirs: object, used: Usage) -> Snapshot:
    """A status that no table knows ends the run, with its name."""
    words = f"the server said {_named(theirs)}, which is no status that Upcall knows"
    return Snapshot.given_up(Failure(code="unknown_status", message=words), used)


def unsupported_action(theirs: object, used: Usage) -> Snapshot:
    """A required action that is not a function call ends the run, with its name."""
    words = f"the server waits for {_named(theirs)}, which Upcall cannot do; it answers function calls"
    return Snapshot.given_up(Failure(code="unsupported_action", message=words), used)


def tool_call(call_id: object, name: object, arguments: object) -> ToolCall:
    """A tool call. Arguments may come as JSON text or as the value itself.

    Raises Refused for an id that no ledger can hold.
    """
    if len(str(call_id).encode()) > MAX_CALL_ID_BYTES:
        raise Refused("the server asked for a call whose id is too long", code="call_id")
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return ToolCall(call_id=str(call_id), name=str(name), arguments=text)


def usage(counts: object, *, read: str = "input_tokens", written: str = "output_tokens") -> Usage:
    """Tokens, by the names that the run API gives them; what is missing counts as none."""
    known = counts if isinstance(counts, Mapping) else {}
    return Usage(
        input_tokens=_count(known.get(read)),
        output_tokens=_count(known.get(written)),
        total_tokens=_count(known.get("total_tokens")),
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


def _count(value: object) -> int:
    """A number of tokens; none where it is no whole number, or one that nobody can have used."""
    return value if isinstance(value, int) and 0 <= value < 10**12 else 0


def _named(theirs: object) -> str:
    return repr(theirs)[:MAX_CODE_CHARACTERS]
