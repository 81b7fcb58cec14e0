"""How a function's parameters are told to a model, and how the model's own text is read for them."""

import json
from enum import Enum
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from upcall.domain.errors import ToolError
from upcall.tool.arguments import Arguments


class Unit(Enum):
    CELSIUS = "celsius"
    KELVIN = "kelvin"


class Place(BaseModel):
    name: str
    country: str = "Norway"
    height: float | None = None


def forecast(
    place: Place,
    days: Annotated[int, Field(ge=1, le=14)] = 3,
    unit: Unit = Unit.CELSIUS,
    tags: list[str] | None = None,
    schema: str | None = "wmo",
) -> None:
    """Tell the weather."""


ARGUMENTS = Arguments(forecast)


def test_what_the_model_leaves_out_is_left_to_the_functions_defaults() -> None:
    assert ARGUMENTS.parse('{"place": {"name": "Oslo"}}') == {"place": Place(name="Oslo")}


def test_null_stands_for_a_default_where_it_is_no_value() -> None:
    parsed = ARGUMENTS.parse('{"place": {"name": "Oslo", "country": null}, "days": null, "unit": null}')

    assert parsed == {"place": Place(name="Oslo", country="Norway")}


def test_null_is_itself_where_the_type_allows_it() -> None:
    parsed = ARGUMENTS.parse('{"place": {"name": "Oslo", "height": null}, "tags": null, "schema": null}')

    assert (parsed["tags"], parsed["schema"]) == (None, None)


def test_values_come_as_their_types() -> None:
    parsed = ARGUMENTS.parse('{"place": {"name": "Oslo", "height": 23}, "unit": "kelvin", "days": "7"}')

    assert parsed == {"place": Place(name="Oslo", height=23.0), "unit": Unit.KELVIN, "days": 7}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Invalid JSON: EOF while parsing an object"),
        ("[]", "Input should be an object"),
        ("null", "Input should be an object"),
        ("{}", "place: Field required"),
        ('{"place": null}', "place: Field required"),
        ('{"place": "Oslo"}', "place: Input should be an object"),
        ('{"place": {"name": 7}}', "place.name: Input should be a valid string"),
        ('{"place": {"name": "Oslo"}, "days": 99}', "days: Input should be less than or equal to 14"),
        ('{"place": {"name": "Oslo"}, "unit": "f"}', "unit: Input should be 'celsius' or 'kelvin'"),
        ('{"place": {"name": "Oslo"}, "when": 1}', "when: Extra inputs are not permitted"),
        ('{"place": {"name": "Oslo"}, "tags": ["a", null]}', "tags.1: Input should be a valid string"),
    ],
)
def test_the_reason_names_the_parameter_and_those_that_there_are(text: str, reason: str) -> None:
    with pytest.raises(ToolError) as caught:
        ARGUMENTS.parse(text)

    assert reason in str(caught.value)
    assert str(caught.value).endswith("(the parameters are place, days, unit, tags, schema)")


def test_a_thousand_faults_are_not_all_told() -> None:
    with pytest.raises(ToolError) as caught:
        ARGUMENTS.parse("{" + ",".join(f'"{"x" * 1000}{n}": 1' for n in range(1000)) + "}")

    assert "and 993 more" in str(caught.value)
    assert len(str(caught.value)) < 2000


def untyped(place) -> None:  # type: ignore[no-untyped-def]
    """Take anything."""


def starred(*places: str) -> None:
    """Take many."""


def positional(place: str, /) -> None:
    """Take it by its place alone."""


@pytest.mark.parametrize(
    ("function", "reason"),
    [(untyped, "place has no type"), (starred, "places cannot be given"), (positional, "place cannot be")],
)
def test_parameters_that_a_model_cannot_give_are_refused_when_the_tool_is_made(
    function: Any, reason: str
) -> None:
    with pytest.raises(TypeError, match=reason):
        Arguments(function)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
likely = st.fixed_dictionaries(
    {},
    optional={
        "place": json_values
        | st.fixed_dictionaries({"name": json_values}, optional={"country": json_values}),
        "days": json_values,
        "unit": json_values | st.sampled_from(["celsius", "kelvin"]),
        "tags": json_values,
        "schema": json_values,
        "other": json_values,
    },
)


@settings(max_examples=300, deadline=None)
@given(likely | json_values)
def test_whatever_json_comes_is_taken_or_refused_with_a_reason(value: Any) -> None:
    try:
        parsed = ARGUMENTS.parse(json.dumps(value))
    except ToolError:
        return
    assert isinstance(parsed["place"], Place)
    assert set(parsed) <= set(ARGUMENTS.names)


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters()))
def test_whatever_text_comes_is_taken_or_refused_with_a_reason(text: str) -> None:
    with pytest.raises(ToolError):
        ARGUMENTS.parse(text)


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(ToolError):
        ARGUMENTS.parse('{"place":' * 100_000)
    with pytest.raises(ToolError):
        ARGUMENTS.parse("[" * 100_000 + "]" * 100_000)
