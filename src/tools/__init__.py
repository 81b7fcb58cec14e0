"""The tools: one file each, found by folder."""

from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path

from upcall.domain.tool_calls import ToolDefinition
from upcall.tool import Tool


def names() -> list[str]:
    """The names of all tools, which are the names of their files."""
    return sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))


@cache
def find(name: str) -> Tool:
    """The tool of that name."""
    found = import_module(f"tools.{name}").lambda_handler
    if not isinstance(found, Tool) or found.definition.name != name:
        raise TypeError(f"tools/{name}.py must define: lambda_handler = tool({name})")
    return found


def allowed(names: Iterable[str], *, may_read_stack_data: bool) -> tuple[str, ...]:
    """Those of the named tools that a run may use. Some read data of the stack itself, such as its inbox."""
    return tuple(name for name in names if may_read_stack_data or find(name).reads == "public")


def definitions(names: Iterable[str]) -> list[ToolDefinition]:
    """The named tools as the model sees them."""
    return [find(name).definition for name in names]
