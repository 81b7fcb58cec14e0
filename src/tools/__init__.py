"""The tools: one file each, found by looking here. Nothing else lives in this folder."""

from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path

from upcall.models import ToolDefinition
from upcall.tool import Tool


def names() -> list[str]:
    """The names of all tools, which are the names of their files."""
    return sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))


@cache
def find(name: str) -> Tool:
    """The tool of that name."""
    found = import_module(f"tools.{name}").lambda_handler
    if not isinstance(found, Tool) or found.definition.name != name:
        raise TypeError(f"tools/{name}.py must say: lambda_handler = tool({name})")
    return found


def allowed(wanted: Iterable[str], *, stacks_own: bool) -> tuple[str, ...]:
    """Those of the wanted tools that a run may use. `stacks_own`: it may read what is the stack's own."""
    return tuple(name for name in wanted if stacks_own or find(name).reads == "public")


def definitions(wanted: Iterable[str]) -> list[ToolDefinition]:
    """What the model gets to know of the wanted tools."""
    return [find(name).definition for name in wanted]
