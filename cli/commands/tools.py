"""`upcall tools`."""

import gc
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from cli.options import JsonOption

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from upcall.tool import Tool


def list_tools(as_json: JsonOption = False) -> None:
    """List the tools with their parameters, effects and functions."""
    gc.disable()
    import tools
    from cli.terminal.console import out, print_json

    found = [tools.find(name) for name in tools.names()]
    if as_json:
        print_json(out, [_to_json(tool) for tool in found])
    else:
        for tool in found:
            out.print(_to_text(tool))


def _to_json(tool: "Tool") -> dict[str, Any]:
    function = _function_name(tool)
    return {**tool.definition.model_dump(), "effect": tool.effect, "function": function}


def _to_text(tool: "Tool") -> "RenderableType":
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    definition = tool.definition
    head = Text.assemble((definition.name, "bold cyan"), f"  {tool.effect}  ", (_function_name(tool), "dim"))
    lines = [Text(definition.description), *_parameter_lines(tool)]
    return Group(head, Padding(Group(*lines), (0, 0, 1, 2)))


def _parameter_lines(tool: "Tool") -> Iterable["Text"]:
    from rich.text import Text

    for name, schema in tool.definition.parameters["properties"].items():
        types = schema.get("type", "one of several")
        kind = types if isinstance(types, str) else " or ".join(types)
        yield Text.assemble((name, "bold"), f" ({kind})  ", (schema.get("description", ""), "dim"))


def _function_name(tool: "Tool") -> str:
    from local.config import STACK_NAME

    return f"{STACK_NAME}-tool-{tool.definition.name}"
