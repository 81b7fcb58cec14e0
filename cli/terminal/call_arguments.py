"""The arguments of a tool call, laid out for a person who decides about it.

The model chooses them. So whatever a terminal does not show as it is (control characters, marks that reverse
the direction of text) is escaped, and nothing can look like another argument.
"""

import json
from collections.abc import Iterator
from typing import Any

INDENT = "  "
CONTINUATION = "│ "
"""Before each line of a text of several lines, which may look like arguments."""


def lay_out_arguments(arguments: str) -> Iterator[str]:
    """A line for each argument, or several; the model's own text if it is no object of unique names."""
    try:
        values = json.loads(arguments, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        yield from _block("", printable(arguments))
    elif not values:
        yield "(no arguments)"
    else:
        for name, value in values.items():
            yield from _block(f"{printable(_name(name))}: ", _text(value))


def printable(text: str) -> str:
    r"""The text, with everything escaped that a terminal would not show as it is. A line break stays."""
    return "".join(char if char.isprintable() or char == "\n" else _escape(char) for char in text)


def printable_line(text: str) -> str:
    """The same, with line breaks escaped."""
    return printable(text).replace("\n", "\\n")


def _block(head: str, text: str) -> Iterator[str]:
    lines = text.split("\n")
    if len(lines) == 1:
        yield f"{head}{text}"
        return
    if head:
        yield head.rstrip()
    yield from (f"{INDENT}{CONTINUATION}{line}" for line in lines)


def _name(name: str) -> str:
    """The name of an argument. One that is no identifier is quoted."""
    return name if name.isidentifier() and name.isascii() else json.dumps(name, ensure_ascii=False)


def _text(value: Any) -> str:
    """A text as it is, unless it looks like another value; anything else as JSON."""
    if isinstance(value, str) and not _is_ambiguous(value):
        return printable(value)
    indent = 2 if isinstance(value, dict | list) else None
    return printable(json.dumps(value, ensure_ascii=False, indent=indent))


def _is_ambiguous(text: str) -> bool:
    """Whether a text without its quotes would look empty, cut off, or like a value of another type."""
    if not text or text != text.strip() or text[0] in '"[{':
        return True
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a name comes twice")
    return values


def _escape(char: str) -> str:
    return json.dumps(char)[1:-1]
