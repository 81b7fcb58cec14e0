"""The text of an output as the model reads it."""

import json

from upcall.domain.json_size import json_bytes, longest_prefix


def encodable(text: str) -> str:
    """The text without halves of surrogate pairs, which UTF-8 cannot encode."""
    return text.encode("utf-8", "replace").decode()


def error_text(message: str, max_bytes: int) -> str:
    """An error as the model reads it: `{"error": …}`, with the message cut to the maximum."""
    message = encodable(message)
    return _error(longest_prefix(message, lambda start: json_bytes(_error(start)) <= max_bytes, max_bytes))


def error_message(output: str) -> str:
    """The message of an output that is an error; the whole output if it has another form."""
    try:
        return str(json.loads(output)["error"])
    except (ValueError, TypeError, KeyError):
        return output


def _error(message: str) -> str:
    return json.dumps({"error": message}, ensure_ascii=False)
