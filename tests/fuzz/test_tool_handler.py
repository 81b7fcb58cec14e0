"""Tools with arbitrary events, results and errors: every call has an output that fits."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.arbitrary_values import fuzz_settings, texts, values

from upcall.domain.errors import ToolError
from upcall.domain.json_size import json_bytes
from upcall.domain.tool_calls import ToolOutput
from upcall.tool import tool

next_results: list[object] = []


def forecast(place: str, days: int = 1, unit: str | None = None) -> str:
    """Forecast the weather."""
    return f"{place}: {days} {unit or 'degrees'}"


def return_next_result() -> object:
    """Return the next result of the test, or raise it."""
    result = next_results.pop()
    if isinstance(result, Exception):
        raise result
    return result


forecast_tool = tool(forecast)
next_result_tool = tool(return_next_result)

events = values | st.fixed_dictionaries(
    {},
    optional={
        "run_id": values,
        "round": values | st.integers(1, 50),
        "position": values | st.integers(1, 100),
        "call_id": values | texts,
        "arguments": values | st.builds(json.dumps, values),
        "max_output_bytes": values | st.integers(-10, 3000),
    },
)
results = texts | st.text() | st.binary() | values | st.dates() | st.sets(st.integers())


def output_of_next_result(max_output_bytes: int) -> ToolOutput:
    event = {
        "run_id": "run_1",
        "round": 1,
        "position": 1,
        "call_id": "call_1",
        "arguments": "{}",
        "max_output_bytes": max_output_bytes,
    }
    return ToolOutput.model_validate(next_result_tool(event))


@fuzz_settings
@given(events)
def test_every_event_has_an_output(event: Any) -> None:
    output = ToolOutput.model_validate(forecast_tool(event))

    assert json.dumps(output.model_dump(mode="json"))


@fuzz_settings
@given(result=results, max_bytes=st.integers(200, 2000))
def test_every_output_fits_and_is_a_prefix_of_the_result(result: Any, max_bytes: int) -> None:
    next_results.append(result)
    output = output_of_next_result(max_bytes)

    assert json_bytes(output.output) <= max_bytes
    prefix, note, _ = output.output.partition("\n[cut: these are the first ")
    if note and isinstance(result, str):
        assert result.encode("utf-8", "replace").decode().startswith(prefix)


@fuzz_settings
@given(text=texts.filter(bool), times=st.integers(1, 500), max_bytes=st.integers(100, 1000))
def test_every_error_fits(text: str, times: int, max_bytes: int) -> None:
    next_results.append(ToolError(text * times))
    output = output_of_next_result(max_bytes)

    assert output.outcome == "error"
    assert json_bytes(output.output) <= max_bytes
    assert json.loads(output.output)["error"]
