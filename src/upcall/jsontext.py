"""How much room a text takes as JSON, and how much of it fits into a room."""

import json
from collections.abc import Callable


def json_bytes(text: str) -> int:
    """Bytes that `text` takes as a JSON string with every non-ASCII character escaped.

    Step Functions counts a state's size as UTF-8; escaping everything is the largest form that any
    party on the way may use, so what fits by this count fits by all.
    """
    return len(json.dumps(text))


def longest_prefix(text: str, fits: Callable[[str], bool]) -> str:
    """The longest start of `text` that fits; `fits` must hold for all shorter ones too."""
    if fits(text):
        return text
    low, high = 0, len(text) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if fits(text[:middle]):
            low = middle
        else:
            high = middle - 1
    return text[:low]
