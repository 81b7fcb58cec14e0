"""Arbitrary text as the arguments of a call: accepted, or an error for the model."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.arbitrary_values import fuzz_settings, values
from support.forecast import Place, forecast

from upcall.domain.errors import ToolError
from upcall.tool.arguments import Arguments

ARGUMENTS = Arguments(forecast)

similar_arguments = st.fixed_dictionaries(
    {},
    optional={
        "place": values | st.fixed_dictionaries({"name": values}, optional={"country": values}),
        "days": values,
        "unit": values | st.sampled_from(["celsius", "kelvin"]),
        "tags": values,
        "schema": values,
        "other": values,
    },
)


@fuzz_settings
@given(similar_arguments | values)
def test_any_json_is_accepted_or_an_error(value: Any) -> None:
    try:
        arguments = ARGUMENTS.parse(json.dumps(value))
    except ToolError:
        return
    assert isinstance(arguments["place"], Place)
    assert set(arguments) <= set(ARGUMENTS.names)


@fuzz_settings
@given(st.text(st.characters()))
def test_any_text_is_an_error(text: str) -> None:
    with pytest.raises(ToolError):
        ARGUMENTS.parse(text)
