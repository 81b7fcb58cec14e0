"""Pydantic's JSON schema in the strict form that function calling requires.

Strict means: `additionalProperties: false`, every property required, an optional one nullable. Sources:
https://platform.openai.com/docs/guides/function-calling#strict-mode and
https://platform.openai.com/docs/guides/structured-outputs#supported-schemas. Lengths of strings go into the
description, because not every model accepts `minLength` and `maxLength`.
"""

from collections.abc import Mapping
from typing import Any

_REMOVED_KEYS = {"title", "default", "discriminator", "uniqueItems", "minLength", "maxLength", "examples"}
_SUPPORTED_FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
_NULL = {"type": "null"}


def strict_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The strict form of an object's schema, without its description: the tool has one.

    Raises TypeError for what the strict form cannot express: a value of any type, an object of unknown keys,
    or a tuple.
    """
    strict: dict[str, Any] = _to_strict({**schema}, schema.get("$defs", {}))
    strict.pop("description", None)
    return strict


def _to_strict(node: Any, defs: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_to_strict(item, defs) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node and len(node) > 1:  # strict mode allows nothing beside a reference
        node = {**defs[node["$ref"].rpartition("/")[2]], **{k: v for k, v in node.items() if k != "$ref"}}
    _check_expressible(node)
    strict = {key: value for key, value in node.items() if key not in _REMOVED_KEYS and key != "properties"}
    if note := _length_note(node):
        strict["description"] = " ".join(filter(None, [node.get("description"), note]))
    if strict.get("format", "date") not in _SUPPORTED_FORMATS:
        del strict["format"]
    if "oneOf" in strict:
        strict["anyOf"] = strict.pop("oneOf")
    for key in ("anyOf", "items"):
        if key in strict:
            strict[key] = _to_strict(strict[key], defs)
    if "$defs" in strict:
        strict["$defs"] = {name: _to_strict(child, defs) for name, child in strict["$defs"].items()}
    if node.get("type") == "object":
        required = node.get("required", ())
        strict["properties"] = {
            name: _to_strict(child, defs) if name in required else _nullable(_to_strict(child, defs))
            for name, child in node.get("properties", {}).items()
        }
        strict["required"] = list(strict["properties"])
        strict["additionalProperties"] = False
    return _collapse_nullable(strict)


def _check_expressible(node: Mapping[str, Any]) -> None:
    if node.keys() <= {"title", "default", "description"}:
        raise TypeError("a parameter may be of any type; give it one")
    if node.get("additionalProperties", False) is not False:
        raise TypeError("a parameter is a dict; give it a model, so that its keys are known")
    if "prefixItems" in node:
        raise TypeError("a parameter is a tuple; give it a list or a model")


def _length_note(node: Mapping[str, Any]) -> str | None:
    low, high = node.get("minLength"), node.get("maxLength")
    if low is not None and high is not None:
        return f"({low} to {high} characters.)"
    if high is not None:
        return f"(At most {high} characters.)"
    return f"(At least {low} characters.)" if low is not None else None


def _nullable(node: dict[str, Any]) -> dict[str, Any]:
    """The schema, or null."""
    options = node.get("anyOf", [])
    type_name = node.get("type")
    if _NULL in options or type_name == "null" or (isinstance(type_name, list) and "null" in type_name):
        return node
    if options:
        return {**node, "anyOf": [*options, _NULL]}
    description = {"description": node["description"]} if "description" in node else {}
    rest = {key: value for key, value in node.items() if key != "description"}
    return _collapse_nullable({**description, "anyOf": [rest, _NULL]})


def _collapse_nullable(node: dict[str, Any]) -> dict[str, Any]:
    """`anyOf` of one plain type and null becomes a list of types; other schemas stay as they are."""
    options = node.get("anyOf", [])
    types = [option for option in options if option != _NULL]
    if len(types) != 1 or len(options) != 2 or not isinstance(types[0].get("type"), str):
        return node
    if "enum" in types[0] or "const" in types[0]:
        return node
    rest = {key: value for key, value in node.items() if key != "anyOf"}
    return {**rest, **types[0], "type": [types[0]["type"], "null"]}
