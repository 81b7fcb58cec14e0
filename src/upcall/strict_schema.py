"""A pydantic model's JSON schema in the strict form that function calling wants.

Strict means: `additionalProperties: false`, every property required, an optional one nullable.
Source: https://platform.openai.com/docs/guides/function-calling#strict-mode.
"""

from typing import Any

from pydantic import BaseModel

_DROPPED = {"title", "default"}
_NULL = {"type": "null"}


def strict_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The strict schema of a model; its description stays out, for it is the tool's."""
    schema: dict[str, Any] = _strict(model.model_json_schema())
    schema.pop("description", None)
    return schema


def _strict(node: Any) -> Any:
    if isinstance(node, list):
        return [_strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    strict = {
        key: {name: _strict(child) for name, child in value.items()}
        if key in ("properties", "$defs")
        else _strict(value)
        for key, value in node.items()
        if key not in _DROPPED
    }
    if "properties" in strict or strict.get("type") == "object":
        strict.setdefault("properties", {})
        strict["required"] = list(strict["properties"])
        strict["additionalProperties"] = False
    return _nullable(strict)


def _nullable(node: dict[str, Any]) -> dict[str, Any]:
    """`anyOf` of one plain type and null, written as a list of types."""
    options = node.get("anyOf", [])
    kinds = [option for option in options if option != _NULL]
    if len(kinds) == len(options) - 1 == 1 and isinstance(kinds[0].get("type"), str):
        rest = {key: value for key, value in node.items() if key != "anyOf"}
        return {**rest, **kinds[0], "type": [kinds[0]["type"], "null"]}
    return node
