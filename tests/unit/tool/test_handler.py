"""A function as a tool: its definition for the model, and the output of each call."""

import json
import sys
import threading
import time
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field
from support.log_capture import capture_logs

from upcall.domain.errors import OutcomeUnknown, ToolError
from upcall.domain.json_size import json_bytes
from upcall.tool import Tool, ToolEvent, current_call, tool


class Weather(BaseModel):
    place: str
    degrees: float


def forecast(
    place: Annotated[str, Field(description="Where.")], days: int = 1, unit: str | None = None
) -> Weather:
    """Forecast the weather."""
    if place == "Atlantis":
        raise ToolError("Atlantis has no weather station")
    if place == "Chaos":
        raise RuntimeError("database password is hunter2")
    if place == "Exit":
        sys.exit(1)
    if place == "Limbo":
        raise OutcomeUnknown("the station did not answer")
    return Weather(place=place if unit is None else f"{place} in {unit}", degrees=days)


class Context:
    """What a tool uses of Lambda's context."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return round((self._end - time.monotonic()) * 1000)


def tool_event(arguments: str = "{}", max_output_bytes: int = 1000) -> dict[str, Any]:
    return {
        "run_id": "run_1",
        "round": 2,
        "position": 3,
        "call_id": "call_1",
        "arguments": arguments,
        "max_output_bytes": max_output_bytes,
    }


def run(tool: Tool, arguments: str, max_output_bytes: int = 1000) -> dict[str, Any]:
    """The output of one call."""
    return tool(tool_event(arguments, max_output_bytes))


def test_name_description_and_schema_come_from_the_function() -> None:
    definition = tool(forecast).definition

    assert definition.name == "forecast"
    assert definition.description == "Forecast the weather."
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


def test_a_function_without_a_docstring_cannot_be_a_tool() -> None:
    def undocumented() -> None: ...

    with pytest.raises(TypeError, match="undocumented has no docstring"):
        tool(undocumented)


def test_the_function_can_still_be_called_directly() -> None:
    tool(forecast)

    assert forecast("Oslo", days=2).degrees == 2


def test_a_result_becomes_json() -> None:
    output = run(tool(forecast), '{"place": "Oslo", "days": 3}')

    assert (output["call_id"], output["outcome"]) == ("call_1", "ok")
    assert json.loads(output["output"]) == {"place": "Oslo", "degrees": 3}
    assert output["duration_ms"] >= 0
    assert output["started_at"].endswith("Z")


def test_a_string_stays_as_it_is() -> None:
    def repeat(word: str) -> str:
        """Repeat a word."""
        return word

    assert run(tool(repeat), '{"word": "Grüße"}')["output"] == "Grüße"


def test_null_stands_for_a_default() -> None:
    output = run(tool(forecast), '{"place": "Oslo", "days": null, "unit": null}')

    assert json.loads(output["output"]) == {"place": "Oslo", "degrees": 1}


def test_null_is_a_value_if_it_is_valid() -> None:
    def describe(thing: str | None) -> str:
        """Do something."""
        return f"got {thing}"

    assert run(tool(describe), '{"thing": null}')["output"] == "got None"


def test_a_tool_without_parameters_accepts_empty_arguments() -> None:
    def now() -> str:
        """Do something."""
        return "now"

    assert run(tool(now), "")["output"] == "now"
    assert run(tool(now), "{}")["output"] == "now"


def test_invalid_arguments_are_an_output_that_names_the_reason() -> None:
    output = run(tool(forecast), '{"place": 7}')

    assert output["outcome"] == "error"
    assert "place: Input should be a valid string" in json.loads(output["output"])["error"]


def test_a_tool_error_is_an_output_with_its_message() -> None:
    output = run(tool(forecast), '{"place": "Atlantis"}')

    assert output["outcome"] == "error"
    assert json.loads(output["output"]) == {"error": "Atlantis has no weather station"}


def test_any_other_exception_is_an_output_without_its_message() -> None:
    output = run(tool(forecast), '{"place": "Chaos"}')

    assert output["outcome"] == "error"
    assert "forecast failed" in output["output"]
    assert "hunter2" not in output["output"]


@pytest.mark.parametrize("max_bytes", [200, 1000, 5000])
def test_a_long_output_is_cut_between_characters_with_a_note(max_bytes: int) -> None:
    def recite() -> str:
        """Do something."""
        return 'ä😀"\n' * 5000

    output = run(tool(recite), "{}", max_bytes)["output"]

    assert json_bytes(output) <= max_bytes
    assert "of 20,000 characters; for the rest call again, asking for less at a time]" in output
    assert output.encode()


def test_the_note_says_how_much_of_the_output_is_there() -> None:
    def count() -> str:
        """Count."""
        return "x" * 2000

    output = run(tool(count), "{}", 500)["output"]

    kept = output.index("\n[cut")
    assert f"these are the first {kept:,} of 2,000 characters" in output


def test_a_truncatable_result_shortens_itself() -> None:
    class Pages(BaseModel):
        text: str

        def truncate_to(self, max_bytes: int) -> "Pages":
            return Pages(text=self.text[: max_bytes // 10])

    def read() -> Pages:
        """Do something."""
        return Pages(text="x" * 1000)

    output = run(tool(read), "{}", 100)["output"]

    assert json.loads(output) == {"text": "x" * 10}


def test_a_tool_that_exits_has_an_error_as_its_output() -> None:
    assert run(tool(forecast), '{"place": "Exit"}')["outcome"] == "error"


def test_a_tool_may_say_that_its_outcome_is_unknown() -> None:
    output = run(tool(forecast), '{"place": "Limbo"}')

    assert output["outcome"] == "unknown"
    assert "the station did not answer" in output["output"]
    assert "will not be repeated" in output["output"]


def test_a_slow_tool_is_given_up_before_lambdas_time_out() -> None:
    released = threading.Event()

    def wait() -> str:
        """Wait."""
        released.wait(60)
        return "done"

    context = Context(seconds=0.6)
    output = tool(wait)(tool_event(), context)
    released.set()

    assert context.get_remaining_time_in_millis() > 0
    assert output["outcome"] == "error"
    assert "wait was not done after 0.3 seconds" in output["output"]


def test_a_tool_can_read_the_ids_of_its_call() -> None:
    def show_ids() -> str:
        """Show the ids of this call."""
        call = current_call()
        return f"{call.run_id} {call.round} {call.position} {call.call_id}" if call else "no call"

    assert tool(show_ids)(tool_event(), Context(5))["output"] == "run_1 2 3 call_1"
    assert show_ids() == "no call"


@pytest.mark.parametrize(
    "changes",
    [{"round": 3}, {"position": 4}, {"round": 23, "position": 3}, {"arguments": '{"a": 1}'}],
)
def test_calls_of_a_run_have_different_keys_though_the_server_repeats_their_ids(
    changes: dict[str, Any],
) -> None:
    event = ToolEvent.model_validate(tool_event())
    other = ToolEvent.model_validate({**tool_event(), **changes})

    assert other.call_id == event.call_id
    assert other.key != event.key


def test_a_call_has_the_same_key_each_time_whatever_id_the_server_gives_it() -> None:
    event = ToolEvent.model_validate(tool_event())
    again = ToolEvent.model_validate({**tool_event(max_output_bytes=500), "call_id": "call_2"})

    assert again.key == event.key
    assert event.key.isascii()


def test_each_call_is_logged_without_arguments_and_output() -> None:
    with capture_logs() as lines:
        run(tool(forecast), '{"place": "Secretville"}')
        run(tool(forecast), '{"place": "Chaos", "unit": "Secretville"}')

    logged = lines.parsed
    assert [line["message"] for line in logged] == ["tool call", "tool failed", "tool call"]
    assert logged[0]["outcome"] == "ok"
    for line in logged:
        assert (line["run_id"], line["call_id"], line["tool"]) == ("run_1", "call_1", "forecast")
    assert logged[1]["error"] == "RuntimeError"
    assert "test_handler.py" in logged[1]["code_locations"][-1]
    assert "Secretville" not in lines.text
    assert "hunter2" not in lines.text


def test_arguments_and_outputs_are_logged_at_the_level_debug() -> None:
    with capture_logs("DEBUG") as lines:
        run(tool(forecast), '{"place": "Secretville"}')
        run(tool(forecast), '{"place": "Chaos"}')

    in_full, failed = lines.parsed[1], lines.parsed[2]
    assert "Secretville" in in_full["arguments"]
    assert "Secretville" in in_full["output"]
    assert "hunter2" in failed["exception"]


def test_values_that_json_cannot_hold_are_replaced() -> None:
    def not_finite() -> list[Any]:
        """Return numbers that JSON does not have."""
        return [float("nan"), float("inf"), "ok"]

    def lone_surrogate() -> str:
        """Return half of a surrogate pair."""
        return "half \ud83d"

    def any_object() -> object:
        """Return an object."""
        return object()

    assert run(tool(not_finite), "{}")["output"] == '[null,null,"ok"]'
    assert run(tool(lone_surrogate), "{}")["output"] == "half ?"
    assert run(tool(any_object), "{}")["outcome"] == "error"
