import json
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from upcall.errors import ToolError
from upcall.jsontext import json_bytes
from upcall.tool import Tool, tool


class Weather(BaseModel):
    place: str
    degrees: int


def forecast(
    place: Annotated[str, Field(description="Where.")], days: int = 1, unit: str | None = None
) -> Weather:
    """Tell the weather."""
    if place == "Atlantis":
        raise ToolError("Atlantis has no weather station")
    if place == "Chaos":
        raise RuntimeError("database password is hunter2")
    return Weather(place=place if unit is None else f"{place} in {unit}", degrees=days)


def answer(made: Tool, arguments: str, max_output_bytes: int = 1000) -> dict[str, Any]:
    event = {
        "run_id": "run_1",
        "call_id": "call_1",
        "arguments": arguments,
        "max_output_bytes": max_output_bytes,
    }
    return made(event, None)


def test_name_description_and_schema_come_from_the_function() -> None:
    definition = tool(forecast).definition

    assert definition.name == "forecast"
    assert definition.description == "Tell the weather."
    assert definition.parameters == {
        "type": "object",
        "properties": {
            "place": {"type": "string", "description": "Where."},
            "days": {"type": ["integer", "null"]},
            "unit": {"type": ["string", "null"]},
        },
        "required": ["place", "days", "unit"],
        "additionalProperties": False,
    }


def test_the_function_stays_directly_callable() -> None:
    tool(forecast)

    assert forecast("Oslo", days=2).degrees == 2


def test_a_result_is_written_as_json() -> None:
    output = answer(tool(forecast), '{"place": "Oslo", "days": 3}')

    assert (output["call_id"], output["outcome"]) == ("call_1", "ok")
    assert json.loads(output["output"]) == {"place": "Oslo", "degrees": 3}
    assert output["duration_ms"] >= 0
    assert output["started_at"].endswith("Z")


def test_a_string_is_left_as_it_is() -> None:
    def say(word: str) -> str:
        return word

    assert answer(tool(say), '{"word": "Grüße"}')["output"] == "Grüße"


def test_null_stands_for_a_default() -> None:
    output = answer(tool(forecast), '{"place": "Oslo", "days": null, "unit": null}')

    assert json.loads(output["output"]) == {"place": "Oslo", "degrees": 1}


def test_null_is_a_value_where_there_is_no_default() -> None:
    def describe(thing: str | None) -> str:
        return f"got {thing}"

    assert answer(tool(describe), '{"thing": null}')["output"] == "got None"


def test_a_tool_without_parameters_takes_empty_arguments() -> None:
    def now() -> str:
        return "now"

    assert answer(tool(now), "")["output"] == "now"
    assert answer(tool(now), "{}")["output"] == "now"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("{", "Invalid JSON"),
        ("[]", "should be"),
        ("{}", "place: Field required"),
        ('{"place": 7}', "place: Input should be a valid string"),
        ('{"place": "Oslo", "when": "now"}', "when: Extra inputs are not permitted"),
    ],
)
def test_bad_arguments_are_an_output_that_names_the_reason(arguments: str, reason: str) -> None:
    output = answer(tool(forecast), arguments)

    assert output["outcome"] == "error"
    assert reason in json.loads(output["output"])["error"]


def test_a_tool_error_tells_the_model() -> None:
    output = answer(tool(forecast), '{"place": "Atlantis"}')

    assert output["outcome"] == "error"
    assert json.loads(output["output"]) == {"error": "Atlantis has no weather station"}


def test_any_other_exception_tells_the_model_nothing_of_our_internals() -> None:
    output = answer(tool(forecast), '{"place": "Chaos"}')

    assert output["outcome"] == "error"
    assert "forecast failed" in output["output"]
    assert "hunter2" not in output["output"]


@pytest.mark.parametrize("room", [200, 1000, 5000])
def test_a_long_output_is_cut_between_characters_and_says_so(room: int) -> None:
    def recite() -> str:
        return 'ä😀"\n' * 5000

    output = answer(tool(recite), "{}", room)["output"]

    assert json_bytes(output) <= room
    assert output.endswith("[cut: the whole has 20,000 characters]")
    assert output.encode()


def test_a_result_that_can_make_itself_fit_is_asked_to() -> None:
    class Pages(BaseModel):
        text: str

        def fit(self, max_bytes: int) -> "Pages":
            return Pages(text=self.text[: max_bytes // 10])

    def read() -> Pages:
        return Pages(text="x" * 1000)

    output = answer(tool(read), "{}", 100)["output"]

    assert json.loads(output) == {"text": "x" * 10}
