from typing import Literal

from pydantic import BaseModel

from upcall.strict_schema import strict_schema


class Inner(BaseModel):
    depth: int = 3
    names: list[str] = []


class Outer(BaseModel):
    """Not for the model."""

    kind: Literal["a", "b"]
    note: str | None = None
    inner: Inner | None = None


def test_every_property_is_required_and_no_other_is_allowed() -> None:
    schema = strict_schema(Outer)

    assert schema["required"] == ["kind", "note", "inner"]
    assert schema["additionalProperties"] is False
    inner = schema["$defs"]["Inner"]
    assert inner["required"] == ["depth", "names"]
    assert inner["additionalProperties"] is False


def test_an_optional_property_is_nullable() -> None:
    properties = strict_schema(Outer)["properties"]

    assert properties["note"] == {"type": ["string", "null"]}
    assert properties["inner"] == {"anyOf": [{"$ref": "#/$defs/Inner"}, {"type": "null"}]}


def test_titles_defaults_and_the_models_docstring_are_left_out() -> None:
    text = str(strict_schema(Outer))

    assert "title" not in text
    assert "default" not in text
    assert "Not for the model" not in text


def test_a_property_may_be_called_title() -> None:
    class Book(BaseModel):
        title: str

    assert strict_schema(Book)["properties"] == {"title": {"type": "string"}}


def test_a_model_without_fields_is_an_empty_object() -> None:
    class Nothing(BaseModel):
        pass

    assert strict_schema(Nothing) == {
        "type": "object",
        "properties": {},
        "required": [],
        "additionalProperties": False,
    }
