"""A function as a tool: what the model gets to know of it, and what it reads of each call."""

import json
import sys
import time
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from support.log_capture import written

from upcall.domain.errors import OutcomeUnknown, ToolError
from upcall.domain.json_size import json_bytes
from upcall.domain.tool_calls import ToolOutput
from upcall.tool import Tool, this_call, tool


class Weather(BaseModel):
    place: str
    degrees: float


def forecast(
    place: Annotated[str, Field(description="Where.")], days: int = 1, unit: str | None = None
) -> Weather:
    """Tell the weather."""
    if place == "Atlantis":
        raise ToolError("Atlantis has no weather station")
    if place == "Chaos":
        raise RuntimeError("database password is hunter2")
    if place == "Exit":
        sys.exit(1)
    if place == "Limbo":
        raise OutcomeUnknown("the station gave no answer")
    return Weather(place=place if unit is None else f"{place} in {unit}", degrees=days)


class Context:
    """Lambda's context, as far as a tool reads it."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return round((self._end - time.monotonic()) * 1000)


def call(arguments: str = "{}", max_output_bytes: int = 1000) -> dict[str, Any]:
    return {
        "run_id": "run_1",
        "call_id": "call_1",
        "arguments": arguments,
        "max_output_bytes": max_output_bytes,
    }


def answer(made: Tool, arguments: str, max_output_bytes: int = 1000) -> dict[str, Any]:
    return made(call(arguments, max_output_bytes))


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


def test_a_function_without_a_docstring_is_no_tool() -> None:
    def mute() -> None: ...

    with pytest.raises(TypeError, match="mute has no docstring"):
        tool(mute)


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
        """Do it."""
        return word

    assert answer(tool(say), '{"word": "Grüße"}')["output"] == "Grüße"


def test_null_stands_for_a_default() -> None:
    output = answer(tool(forecast), '{"place": "Oslo", "days": null, "unit": null}')

    assert json.loads(output["output"]) == {"place": "Oslo", "degrees": 1}


def test_null_is_a_value_where_there_is_no_default() -> None:
    def describe(thing: str | None) -> str:
        """Do it."""
        return f"got {thing}"

    assert answer(tool(describe), '{"thing": null}')["output"] == "got None"


def test_a_tool_without_parameters_takes_empty_arguments() -> None:
    def now() -> str:
        """Do it."""
        return "now"

    assert answer(tool(now), "")["output"] == "now"
    assert answer(tool(now), "{}")["output"] == "now"


def test_bad_arguments_are_an_output_that_names_the_reason() -> None:
    output = answer(tool(forecast), '{"place": 7}')

    assert output["outcome"] == "error"
    assert "place: Input should be a valid string" in json.loads(output["output"])["error"]


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
        """Do it."""
        return 'ä😀"\n' * 5000

    output = answer(tool(recite), "{}", room)["output"]

    assert json_bytes(output) <= room
    assert "of 20,000 characters; for the rest call again, asking for less at a time]" in output
    assert output.encode()


def test_the_note_says_how_much_is_left() -> None:
    def count() -> str:
        """Count."""
        return "x" * 2000

    output = answer(tool(count), "{}", 500)["output"]

    kept = output.index("\n[cut")
    assert f"these are the first {kept:,} of 2,000 characters" in output


def test_a_result_that_can_make_itself_fit_is_asked_to() -> None:
    class Pages(BaseModel):
        text: str

        def fit(self, max_bytes: int) -> "Pages":
            return Pages(text=self.text[: max_bytes // 10])

    def read() -> Pages:
        """Do it."""
        return Pages(text="x" * 1000)

    output = answer(tool(read), "{}", 100)["output"]

    assert json.loads(output) == {"text": "x" * 10}


def test_a_way_out_of_the_program_is_no_way_out_of_the_tool() -> None:
    assert answer(tool(forecast), '{"place": "Exit"}')["outcome"] == "error"


def test_a_tool_may_say_that_it_does_not_know_what_happened() -> None:
    output = answer(tool(forecast), '{"place": "Limbo"}')

    assert output["outcome"] == "unknown"
    assert "the station gave no answer" in output["output"]
    assert "will not be repeated" in output["output"]


def test_a_tool_that_takes_too_long_is_given_up_before_lambda_ends_it() -> None:
    def dream() -> str:
        """Take a minute."""
        time.sleep(60)
        return "awake"

    start = time.monotonic()
    output = tool(dream)(call(), Context(seconds=1.2))

    assert time.monotonic() - start < 1.2
    assert output["outcome"] == "error"
    assert "dream was not done after 0.6 seconds" in output["output"]


def test_a_tool_knows_which_call_it_answers() -> None:
    def who() -> str:
        """Say which call this is."""
        asked = this_call()
        return f"{asked.run_id} {asked.call_id}" if asked else "nobody"

    assert tool(who)(call(), Context(5))["output"] == "run_1 call_1"
    assert who() == "nobody"


def test_one_line_is_logged_for_each_call_without_its_words() -> None:
    with written() as lines:
        answer(tool(forecast), '{"place": "Secretville"}')
        answer(tool(forecast), '{"place": "Chaos", "unit": "Secretville"}')

    told = lines.parsed
    assert [line["message"] for line in told] == ["tool call", "tool failed", "tool call"]
    assert told[0]["outcome"] == "ok"
    for line in told:
        assert (line["run_id"], line["call_id"], line["tool"]) == ("run_1", "call_1", "forecast")
    assert told[1]["error"] == "RuntimeError"
    assert "test_handler.py" in told[1]["where"][-1]
    assert "Secretville" not in lines.text
    assert "hunter2" not in lines.text


def test_the_words_are_logged_for_whoever_looks_for_a_fault() -> None:
    with written("DEBUG") as lines:
        answer(tool(forecast), '{"place": "Secretville"}')
        answer(tool(forecast), '{"place": "Chaos"}')

    whole, failed = lines.parsed[1], lines.parsed[2]
    assert "Secretville" in whole["arguments"]
    assert "Secretville" in whole["output"]
    assert "hunter2" in failed["exception"]


def test_values_that_no_json_can_hold_are_left_out_or_replaced() -> None:
    def odd() -> list[Any]:
        """Say what cannot be said."""
        return [float("nan"), float("inf"), "ok"]

    def broken() -> str:
        """Say half a character."""
        return "half \ud83d"

    def unsayable() -> object:
        """Give an object."""
        return object()

    assert answer(tool(odd), "{}")["output"] == '[null,null,"ok"]'
    assert answer(tool(broken), "{}")["output"] == "half ?"
    assert answer(tool(unsayable), "{}")["outcome"] == "error"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
events = anything | st.fixed_dictionaries(
    {},
    optional={
        "run_id": anything | st.text(),
        "call_id": anything | st.text(st.characters()),
        "arguments": anything | st.text(st.characters()) | st.builds(json.dumps, anything),
        "max_output_bytes": anything | st.integers(-10, 3000),
    },
)


@settings(max_examples=500, deadline=None)
@given(events)
def test_whatever_event_comes_the_answer_is_an_output(event: Any) -> None:
    output = ToolOutput.model_validate(tool(forecast)(event))

    assert json.dumps(output.model_dump(mode="json"))


results = st.text(st.characters()) | st.binary() | anything | st.dates() | st.sets(st.integers())


@settings(max_examples=500, deadline=None)
@given(result=results, room=st.integers(200, 2000))
def test_whatever_a_tool_returns_the_output_fits_and_is_a_start_of_it(result: Any, room: int) -> None:
    def give() -> object:
        """Give it."""
        return result

    output = ToolOutput.model_validate(answer(tool(give), "{}", room))

    assert json_bytes(output.output) <= room
    start, cut, _ = output.output.partition("\n[cut: these are the first ")
    if cut and isinstance(result, str):
        assert result.encode("utf-8", "replace").decode().startswith(start)


@settings(max_examples=200, deadline=None)
@given(words=st.text(st.characters(), min_size=1), times=st.integers(1, 500), room=st.integers(100, 1000))
def test_an_error_fits_too(words: str, times: int, room: int) -> None:
    def refuse() -> None:
        """Refuse."""
        raise ToolError(words * times)

    output = ToolOutput.model_validate(answer(tool(refuse), "{}", room))

    assert output.outcome == "error"
    assert json_bytes(output.output) <= room
    assert json.loads(output.output)["error"]
