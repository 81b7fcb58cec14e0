"""What a model reads: a result as text, within the room that the workflow's state has for it."""

import json
from typing import Protocol, Self, runtime_checkable

from pydantic_core import to_json

from upcall.jsontext import json_bytes, longest_prefix


@runtime_checkable
class Fitting(Protocol):
    """A result that knows how to make itself shorter without losing the way to the rest."""

    def fit(self, max_bytes: int) -> Self:
        """The same result, taking at most `max_bytes` as the text of a JSON string."""


def text_of(result: object, max_bytes: int) -> str:
    """The result as text that takes at most `max_bytes` as a JSON string.

    A string stays as it is, anything else becomes JSON. What is too long is cut between characters,
    with a note that says so; a result that has `fit` (see Fitting) is asked to see to it itself.
    """
    if isinstance(result, Fitting):
        result = result.fit(max_bytes)
    text = _encodable(result) if isinstance(result, str) else to_json(result, inf_nan_mode="null").decode()
    if json_bytes(text) <= max_bytes:
        return text
    kept = longest_prefix(text, lambda start: json_bytes(start + _note(start, text)) <= max_bytes, max_bytes)
    return kept + _note(kept, text)


def error_text(words: str, max_bytes: int) -> str:
    """What the model reads where a tool has nothing better to say."""
    words = _encodable(words)
    return _error(longest_prefix(words, lambda start: json_bytes(_error(start)) <= max_bytes, max_bytes))


def _error(words: str) -> str:
    return json.dumps({"error": words}, ensure_ascii=False)


def _note(kept: str, whole: str) -> str:
    return (
        f"\n[cut: these are the first {len(kept):,} of {len(whole):,} characters; "
        "for the rest call again, asking for less at a time]"
    )


def _encodable(text: str) -> str:
    """The text without halves of surrogate pairs, which no UTF-8 can hold."""
    return text.encode("utf-8", "replace").decode()
