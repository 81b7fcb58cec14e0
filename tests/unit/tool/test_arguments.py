"""How the model's text becomes the arguments of a function."""

from typing import Any

import pytest
from support.forecast import Place, Unit, forecast

from upcall.domain.errors import ToolError
from upcall.tool.arguments import Arguments

ARGUMENTS = Arguments(forecast)


def test_a_missing_argument_is_left_to_the_functions_default() -> None:
    assert ARGUMENTS.parse('{"place": {"name": "Oslo"}}') == {"place": Place(name="Oslo")}


def test_null_stands_for_the_default_if_the_type_does_not_allow_null() -> None:
    parsed = ARGUMENTS.parse('{"place": {"name": "Oslo", "country": null}, "days": null, "unit": null}')

    assert parsed == {"place": Place(name="Oslo", country="Norway")}


def test_null_is_a_value_if_the_type_allows_it() -> None:
    parsed = ARGUMENTS.parse('{"place": {"name": "Oslo", "height": null}, "tags": null, "schema": null}')

    assert (parsed["tags"], parsed["schema"]) == (None, None)


def test_values_are_converted_to_their_types() -> None:
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
def test_the_error_names_the_invalid_parameter_and_the_valid_ones(text: str, reason: str) -> None:
    with pytest.raises(ToolError) as caught:
        ARGUMENTS.parse(text)

    assert reason in str(caught.value)
    assert str(caught.value).endswith("(the parameters are place, days, unit, tags, schema)")


def test_the_number_of_reasons_in_an_error_is_limited() -> None:
    with pytest.raises(ToolError) as caught:
        ARGUMENTS.parse("{" + ",".join(f'"{"x" * 1000}{n}": 1' for n in range(1000)) + "}")

    assert "and 993 more" in str(caught.value)
    assert len(str(caught.value)) < 2000


def untyped(place) -> None:  # type: ignore[no-untyped-def]
    """Take anything."""


def starred(*places: str) -> None:
    """Take any number."""


def positional(place: str, /) -> None:
    """Take a positional argument."""


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (untyped, "place has no type"),
        (starred, "places cannot be passed by name"),
        (positional, "place cannot be passed by name"),
    ],
)
def test_a_parameter_that_a_model_cannot_pass_is_rejected(function: Any, reason: str) -> None:
    with pytest.raises(TypeError, match=reason):
        Arguments(function)


def test_deep_nesting_is_an_error() -> None:
    with pytest.raises(ToolError):
        ARGUMENTS.parse('{"place":' * 100_000)
    with pytest.raises(ToolError):
        ARGUMENTS.parse("[" * 100_000 + "]" * 100_000)
