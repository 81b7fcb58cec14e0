"""The arguments of a tool call, from a command line."""

import json
from collections.abc import Sequence
from typing import Any

from cli.errors import CommandError
from upcall.tool import Tool


def parse_arguments(tool: Tool, inputs: Sequence[str]) -> str:
    """The arguments as JSON text. `inputs` are `parameter=value`, or one JSON object. Raises CommandError.

    The value of a string parameter is taken as it is. Any other value is read as JSON, if it is JSON.
    """
    if len(inputs) == 1 and inputs[0].lstrip().startswith("{"):
        return inputs[0]
    parameters = tool.definition.parameters["properties"]
    arguments = {}
    for text in inputs:
        name, equals, value = text.partition("=")
        if not equals:
            raise CommandError(f"{text!r} is not parameter=value; the parameters are {', '.join(parameters)}")
        is_string = "string" in parameters.get(name, {}).get("type", "")
        arguments[name] = value if is_string else _parse_value(value)
    return json.dumps(arguments)


def _parse_value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
