"""Tools that a run's caller has: their definitions come with the request, their outputs over the API."""

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from upcall.domain.errors import FieldError
from upcall.domain.json_document import check_json
from upcall.domain.model import Model
from upcall.domain.tool_calls import ToolDefinition

MAX_TOOLS = 64
MAX_TOOLS_BYTES = 65_536
"""Of all tools of a request together, as JSON."""

_NOT_STRICT = ("allOf", "oneOf", "not", "if", "dependentRequired", "dependentSchemas", "patternProperties")
"""What OpenAI's strict mode does not take:
https://platform.openai.com/docs/guides/structured-outputs#supported-schemas."""


def _check_strict(parameters: dict[str, Any]) -> dict[str, Any]:
    if parameters.get("type") != "object":
        raise ValueError('must be the schema of an object: "type": "object"')
    check_json(parameters, MAX_TOOLS_BYTES)
    _check_node(parameters, "")
    return parameters


def _check_node(node: Any, path: str) -> None:
    if not isinstance(node, dict):
        raise ValueError(f"{path or 'the schema'} must be an object")
    where = f" in {path}" if path else ""
    for keyword in _NOT_STRICT:
        if keyword in node:
            raise ValueError(f"strict mode does not allow {keyword}{where}")
    properties = node.get("properties", {})
    if not isinstance(properties, dict):
        raise ValueError(f"properties must be an object{where}")
    is_object = "properties" in node or node.get("type") == "object" or "object" in _list(node.get("type"))
    if is_object and node.get("additionalProperties") is not False:
        raise ValueError(f"strict mode needs additionalProperties: false{where}")
    if missing := [name for name in properties if name not in _list(node.get("required"))]:
        raise ValueError(f"strict mode needs {missing[0]!r} in required{where}; null may stand for no value")
    if unknown := [name for name in _list(node.get("required")) if name not in properties]:
        raise ValueError(f"required names {unknown[0]!r}, which is no property{where}")
    for keyword in ("properties", "$defs"):
        for name, child in (node.get(keyword) or {}).items():
            _check_node(child, f"{path}.{name}" if path else str(name))
    if "items" in node:
        _check_node(node["items"], f"{path}[]")
    for number, option in enumerate(_list(node.get("anyOf"))):
        _check_node(option, f"{path}.anyOf.{number}")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


class CallerTool(Model):
    """A tool of the caller, in the form of the Responses API. `parameters` is a strict JSON schema."""

    type: Literal["function"] = "function"
    name: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: Annotated[str, StringConstraints(min_length=1, max_length=4096)]
    parameters: Annotated[dict[str, Any], AfterValidator(_check_strict)]
    strict: Literal[True] = True

    @property
    def definition(self) -> ToolDefinition:
        """The tool as the model sees it."""
        return ToolDefinition(name=self.name, description=self.description, parameters=self.parameters)


def _check_tools(tools: tuple[CallerTool, ...]) -> tuple[CallerTool, ...]:
    if repeated := [name for name, count in Counter(tool.name for tool in tools).items() if count > 1]:
        raise ValueError(f"must have different names; {repeated[0]!r} comes twice")
    check_json([tool.model_dump() for tool in tools], MAX_TOOLS_BYTES)
    return tools


CallerTools = Annotated[
    tuple[CallerTool, ...],
    Field(max_length=MAX_TOOLS, description="Tools of the caller, which answers their calls itself."),
    AfterValidator(_check_tools),
]


def name_clash(tools: Iterable[CallerTool], assistant_tools: Iterable[str]) -> FieldError | None:
    """An error if a caller's tool has the name of one that the assistant has."""
    taken = set(assistant_tools)
    for number, tool in enumerate(tools):
        if tool.name in taken:
            reason = f"the assistant has a tool {tool.name!r} already; give yours another name"
            return FieldError(f"tools.{number}.name", reason)
    return None


def definitions(tools: Iterable[CallerTool]) -> list[ToolDefinition]:
    """The tools as the model sees them."""
    return [tool.definition for tool in tools]
