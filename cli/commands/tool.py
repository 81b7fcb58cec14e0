"""`upcall tools` and `upcall tool`: what a model could call, and a call made without a model."""

import json
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import boto3
from botocore.config import Config
from rich.console import Console, Group
from rich.padding import Padding
from rich.text import Text

import tools
from cli.backends.local_stack import cloud
from cli.errors import Problem
from local.config import STACK_NAME
from upcall.domain.tool_calls import ToolOutput
from upcall.tool import Tool, ToolEvent

MAX_OUTPUT_BYTES = 200_000
"""About what a single call of a round may answer with."""

INVOKE = Config(read_timeout=900, retries={"total_max_attempts": 1})


def described(name: str) -> dict[str, Any]:
    """A tool for machines: name, description, strict schema, effect, and the function that runs it."""
    found = tools.find(name)
    return {**found.definition.model_dump(), "effect": found.effect, "function": _function(name)}


def tool_list(console: Console, names: Iterable[str]) -> None:
    """Tools for people: each with its effect, its function, its description and its parameters."""
    for name in names:
        found = tools.find(name)
        head = Text.assemble((name, "bold cyan"), f"  {found.effect}  ", (_function(name), "dim"))
        lines = [Text(found.definition.description), *_parameters(found)]
        console.print(Group(head, Padding(Group(*lines), (0, 0, 1, 2))))


def call(name: str, words: Sequence[str]) -> ToolOutput:
    """Run a tool's function on the laptop cloud, as the workflow would. Raises Problem.

    `words` are `parameter=value`, or one JSON object.
    """
    if name not in tools.names():
        raise Problem(f"there is no tool {name!r}; there is {', '.join(tools.names())}")
    event = ToolEvent(
        run_id="run_by_hand",
        call_id=f"call_{uuid.uuid4().hex}",
        arguments=arguments(tools.find(name), words),
        max_output_bytes=MAX_OUTPUT_BYTES,
    )
    with cloud():
        answer = boto3.client("lambda", config=INVOKE).invoke(
            FunctionName=_function(name), Payload=event.model_dump_json()
        )
        payload = answer["Payload"].read()
    if "FunctionError" in answer:
        raise Problem(f"{_function(name)} failed: {json.loads(payload)['errorMessage']}")
    return ToolOutput.model_validate_json(payload)


def arguments(found: Tool, words: Sequence[str]) -> str:
    """The JSON text of arguments: a value that is to be a string is taken as it is typed. Raises Problem."""
    if len(words) == 1 and words[0].lstrip().startswith("{"):
        return words[0]
    properties = found.definition.parameters["properties"]
    given = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise Problem(f"{word!r} is not parameter=value; the parameters are {', '.join(properties)}")
        given[name] = value if "string" in properties.get(name, {}).get("type", "") else _value(value)
    return json.dumps(given)


def _value(word: str) -> Any:
    try:
        return json.loads(word)
    except ValueError:
        return word


def _function(name: str) -> str:
    return f"{STACK_NAME}-tool-{name}"


def _parameters(found: Tool) -> Iterable[Text]:
    for name, schema in found.definition.parameters["properties"].items():
        kinds = schema.get("type", "one of several")
        kind = kinds if isinstance(kinds, str) else " or ".join(kinds)
        yield Text.assemble((name, "bold"), f" ({kind})  ", (schema.get("description", ""), "dim"))
