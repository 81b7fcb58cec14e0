"""JSON documents that callers send, such as schemas: how large and how deep they may be."""

import json
from collections.abc import Iterable
from typing import Any

MAX_LEVELS = 64
"""OpenAI allows ten in a schema. From about two hundred on, pydantic reports a circular reference."""


def check_json(value: Any, max_bytes: int) -> None:
    """Raise ValueError for a value that is too deep or too large, or cannot be written as JSON."""
    if _is_deeper(value, MAX_LEVELS):
        raise ValueError(f"must not be nested in more than {MAX_LEVELS} levels")
    try:
        size = len(json.dumps(value, ensure_ascii=False, allow_nan=False).encode())
    except ValueError:
        raise ValueError("must be JSON, of Unicode text and finite numbers") from None
    if size > max_bytes:
        raise ValueError(f"must be at most {max_bytes:,} bytes of JSON, not {size:,}")


def parse_json_text(value: Any) -> Any:
    """Parse a field of a table item that is written as JSON text: floats in an item come back as decimals."""
    return json.loads(value) if isinstance(value, str) else value


def _is_deeper(value: Any, levels: int) -> bool:
    layer = [value]
    for _ in range(levels + 1):
        layer = [child for each in layer for child in _children(each)]
    return bool(layer)


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
