"""The strict JSON schema of a function's parameters."""

from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import AnyUrl, BaseModel, Field

from upcall.tool.function_schema import strict_schema


class Unit(Enum):
    CELSIUS = "celsius"
    KELVIN = "kelvin"


class Inner(BaseModel):
    depth: int = 3
    names: list[str] = []


class Outer(BaseModel):
    """Not for the model."""

    kind: Literal["a", "b"]
    note: str | None = None
    inner: Inner | None = None
    unit: Annotated[Unit, Field(description="Of the degrees.")] = Unit.CELSIUS


def strict(model: type[BaseModel]) -> dict[str, Any]:
    return strict_schema(model.model_json_schema())


def test_every_property_is_required_and_no_other_is_allowed() -> None:
    schema = strict(Outer)

    assert schema["required"] == ["kind", "note", "inner", "unit"]
    assert schema["additionalProperties"] is False
    inner = schema["$defs"]["Inner"]
    assert inner["required"] == ["depth", "names"]
    assert inner["additionalProperties"] is False


def test_a_property_with_a_default_is_nullable_at_every_depth() -> None:
    schema = strict(Outer)

    assert schema["properties"]["note"] == {"type": ["string", "null"]}
    assert schema["properties"]["inner"] == {"anyOf": [{"$ref": "#/$defs/Inner"}, {"type": "null"}]}
    assert schema["$defs"]["Inner"]["properties"]["depth"] == {"type": ["integer", "null"]}
    assert schema["properties"]["kind"] == {"type": "string", "enum": ["a", "b"]}


def test_a_reference_with_a_description_is_replaced_by_its_definition() -> None:
    """Strict mode allows nothing beside a reference."""
    assert strict(Outer)["properties"]["unit"] == {
        "description": "Of the degrees.",
        "anyOf": [{"type": "string", "enum": ["celsius", "kelvin"]}, {"type": "null"}],
    }


def test_titles_defaults_and_the_models_docstring_are_removed() -> None:
    text = str(strict(Outer))

    assert "title" not in text
    assert "default" not in text
    assert "Not for the model" not in text


def test_a_property_may_have_the_name_title() -> None:
    class Book(BaseModel):
        title: str

    assert strict(Book)["properties"] == {"title": {"type": "string"}}


def test_lengths_go_into_the_description_and_numbers_keep_their_limits() -> None:
    class Order(BaseModel):
        note: Annotated[str, Field(min_length=1, max_length=9, description="For the cook.")]
        count: Annotated[int, Field(ge=1, le=5)]

    assert strict(Order)["properties"] == {
        "note": {"type": "string", "description": "For the cook. (1 to 9 characters.)"},
        "count": {"type": "integer", "minimum": 1, "maximum": 5},
    }


def test_formats_that_strict_mode_does_not_support_are_removed() -> None:
    class Visit(BaseModel):
        day: date
        website: AnyUrl

    properties = strict(Visit)["properties"]

    assert properties["day"] == {"type": "string", "format": "date"}
    assert "format" not in properties["website"]


def test_a_discriminated_union_becomes_any_of() -> None:
    class Cat(BaseModel):
        kind: Literal["cat"]

    class Dog(BaseModel):
        kind: Literal["dog"]

    class Home(BaseModel):
        pet: Annotated[Cat | Dog, Field(discriminator="kind")]

    assert strict(Home)["properties"]["pet"] == {"anyOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]}


def test_a_model_may_be_recursive() -> None:
    class Tree(BaseModel):
        name: str
        branches: "list[Tree]" = []

    assert strict(Tree)["$defs"]["Tree"]["properties"]["branches"]["type"] == ["array", "null"]


class Anything(BaseModel):
    value: Any


class Keys(BaseModel):
    value: dict[str, int]


class Pair(BaseModel):
    value: tuple[int, str]


class Bare(BaseModel):
    value: list  # type: ignore[type-arg]


@pytest.mark.parametrize(("model", "reason"), [(Anything, "any type"), (Keys, "dict"), (Pair, "tuple"), (Bare, "any type")])  # fmt: skip
def test_a_type_that_strict_mode_cannot_express_is_rejected(model: type[BaseModel], reason: str) -> None:
    with pytest.raises(TypeError, match=reason):
        strict(model)


def test_a_model_without_fields_is_an_empty_object() -> None:
    class Nothing(BaseModel):
        pass

    assert strict(Nothing) == {
        "type": "object",
        "properties": {},
        "required": [],
        "additionalProperties": False,
    }
