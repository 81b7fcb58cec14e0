"""A tool's output as text, within a maximum size."""

from typing import Protocol, Self, runtime_checkable

from pydantic_core import to_json

from upcall.domain.json_size import json_bytes, longest_prefix
from upcall.domain.output_text import encodable


@runtime_checkable
class Truncatable(Protocol):
    """A result that can shorten itself and tell the model how to get the rest."""

    def truncate_to(self, max_bytes: int) -> Self:
        """The same result, as text of at most `max_bytes` as a JSON string."""


def text_of(result: object, max_bytes: int) -> str:
    """The result as text that takes at most `max_bytes` as a JSON string.

    A string stays as it is, anything else becomes JSON. A text that is too long is cut between characters,
    with a note that says so. A Truncatable result shortens itself.
    """
    if isinstance(result, Truncatable):
        result = result.truncate_to(max_bytes)
    text = encodable(result) if isinstance(result, str) else to_json(result, inf_nan_mode="null").decode()
    if json_bytes(text) <= max_bytes:
        return text
    kept = longest_prefix(text, lambda start: json_bytes(start + _note(start, text)) <= max_bytes, max_bytes)
    return kept + _note(kept, text)


def _note(kept: str, whole: str) -> str:
    return (
        f"\n[cut: these are the first {len(kept):,} of {len(whole):,} characters; "
        "for the rest call again, asking for less at a time]"
    )
