"""How many bytes a text takes as JSON, and how much of it fits into a number of bytes."""

import json
from collections.abc import Callable


def json_bytes(text: str) -> int:
    """Bytes that `text` takes as a JSON string with every non-ASCII character escaped.

    Step Functions counts a state's size as UTF-8. Escaped text is the largest form that any party on the way
    may use, so what fits by this count fits everywhere.
    """
    return len(json.dumps(text))


def longest_prefix(text: str, fits: Callable[[str], bool], at_most: int) -> str:
    """The longest prefix of `text` that fits and has at most `at_most` characters.

    If `fits` holds for a prefix, it must hold for every shorter one.
    """
    text = text[: max(at_most, 0)]
    if fits(text):
        return text
    low, high = 0, max(len(text) - 1, 0)
    while low < high:
        middle = (low + high + 1) // 2
        if fits(text[:middle]):
            low = middle
        else:
            high = middle - 1
    return text[:low]
