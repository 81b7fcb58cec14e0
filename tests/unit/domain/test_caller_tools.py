"""A caller's own tools: names, strict schemas, sizes."""

from typing import Any

import pytest
from pydantic import ValidationError

from upcall.domain.caller_tools import CallerTool, name_clash
from upcall.domain.run_request import RunRequest
from upcall.domain.validation import field_errors

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "parts": {
            "type": "array",
            "items": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/part"}]},
        },
    },
    "required": ["id", "parts"],
    "additionalProperties": False,
    "$defs": {
        "part": {
            "type": "object",
            "properties": {"name": {"type": ["string", "null"]}},
            "required": ["name"],
            "additionalProperties": False,
        }
    },
}


def tool(name: str = "lookup", **fields: Any) -> dict[str, Any]:
    return {"name": name, "description": "Looks up.", "parameters": SCHEMA, **fields}


def errors_of(*tools: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        RunRequest.model_validate({"prompt": "Go.", "tools": tools})
    return [(error.field, error.reason) for error in field_errors(caught.value)]


def test_a_strict_schema_is_taken_as_it_is() -> None:
    request = RunRequest.model_validate({"prompt": "Go.", "tools": [tool(type="function", strict=True)]})

    assert request.tools[0].definition.model_dump() == tool()


@pytest.mark.parametrize("name", ["", "a b", "a.b", "ä", "x" * 65, "a\n"])
def test_a_name_has_letters_digits_underscores_and_hyphens(name: str) -> None:
    assert errors_of(tool(name))[0][0] == "tools.0.name"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"type": "array"}, "the schema of an object"),
        ({"additionalProperties": True}, "additionalProperties: false"),
        ({"required": ["id"]}, "needs 'parts' in required; null may stand for no value"),
        ({"required": ["id", "parts", "x"]}, "required names 'x', which is no property"),
        ({"properties": []}, "properties must be an object"),
        ({"oneOf": []}, "does not allow oneOf"),
        ({"$defs": {"part": {"type": "object"}}}, "additionalProperties: false in part"),
        ({"$defs": {"part": True}}, "part must be an object"),
    ],
)
def test_a_schema_that_is_not_strict_says_why(change: dict[str, Any], reason: str) -> None:
    ((field, said),) = errors_of(tool(parameters={**SCHEMA, **change}))

    assert field == "tools.0.parameters"
    assert reason in said


def test_a_schema_may_be_deep_but_not_without_end() -> None:
    node: dict[str, Any] = {"type": "string"}
    for _ in range(200):
        node = {"type": "array", "items": node}
    parameters = {**SCHEMA, "properties": {"id": node}, "required": ["id"]}

    assert "64 levels" in errors_of(tool(parameters=parameters))[0][1]


def test_names_are_different() -> None:
    assert errors_of(tool(), tool()) == [("tools", "must have different names; 'lookup' comes twice")]


def test_tools_have_a_maximum_of_number_and_size() -> None:
    assert "64" in errors_of(*(tool(f"t{number}") for number in range(65)))[0][1]
    large = [tool(f"t{number}", description="ä" * 4096) for number in range(9)]
    assert "65,536 bytes of JSON" in errors_of(*large)[0][1]


@pytest.mark.parametrize(
    "fields", [{"function": {}}, {"strict": False}, {"type": "custom"}, {"description": ""}]
)
def test_other_forms_are_rejected(fields: dict[str, Any]) -> None:
    assert errors_of(tool(**fields))[0][0].startswith("tools.0.")


def test_a_name_of_the_assistants_is_taken() -> None:
    clash = name_clash([CallerTool(**tool("a")), CallerTool(**tool("fetch"))], ["fetch"])

    assert clash is not None
    assert clash.field == "tools.1.name"
    assert name_clash([CallerTool(**tool("a"))], ["fetch"]) is None
