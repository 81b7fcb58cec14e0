"""A value that is valid for a strict JSON schema, for the message of the offline model."""

from collections.abc import Mapping
from typing import Any

_VALUES: Mapping[str, Any] = {"number": 0, "integer": 0, "boolean": False, "null": None}


def schema_instance(schema: Mapping[str, Any], text: str, root: Mapping[str, Any] | None = None) -> Any:
    """A value of a schema that strict mode allows: every string is `text`, every list has one item.

    Of several alternatives it is one of the first. References are resolved within `root`, by default the
    schema.
    """
    root = schema if root is None else root
    if "$ref" in schema:
        target: Any = root
        for part in str(schema["$ref"]).removeprefix("#/").split("/"):
            target = target[part]
        return schema_instance(target, text, root)
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    for alternatives in ("anyOf", "oneOf"):
        if alternatives in schema:
            return schema_instance(schema[alternatives][0], text, root)
    kind = schema.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: schema_instance(each, text, root) for name, each in properties.items()}
    if kind == "array":
        return [schema_instance(schema.get("items", {}), text, root)]
    return _VALUES.get(kind, text)
