"""Something that satisfies a strict JSON schema, for a model that cannot think of anything better."""

from collections.abc import Mapping
from typing import Any

PLAIN: Mapping[str, Any] = {"number": 0, "integer": 0, "boolean": False, "null": None}


def instance(schema: Mapping[str, Any], text: str, root: Mapping[str, Any] | None = None) -> Any:
    """A value for a schema as strict mode allows it: every string is `text`, every list has one item.

    The first of several alternatives is taken; of a reference, what it leads to within the schema.
    """
    root = schema if root is None else root
    if "$ref" in schema:
        found: Any = root
        for part in str(schema["$ref"]).removeprefix("#/").split("/"):
            found = found[part]
        return instance(found, text, root)
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return instance(schema[several][0], text, root)
    kind = schema.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: instance(each, text, root) for name, each in properties.items()}
    if kind == "array":
        return [instance(schema.get("items", {}), text, root)]
    return PLAIN.get(kind, text)
