import json
from typing import Any

import pytest
from pydantic import ValidationError

from upcall.domain.batch_request import (
    MAX_CUSTOM_ID_CHARACTERS,
    MAX_INLINE_INPUTS,
    BatchRequest,
    fill_template,
    parse_line,
)
from upcall.domain.errors import InvalidInput
from upcall.domain.run_request import MAX_PROMPT_BYTES, RunRequest
from upcall.domain.validation import field_errors


def errors_of(**fields: Any) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        BatchRequest.model_validate(fields)
    return [(error.field, error.reason) for error in field_errors(caught.value)]


def run_request(line: Any, defaults: dict[str, Any] | None = None, template: str | None = None) -> RunRequest:
    data = line if isinstance(line, bytes) else json.dumps(line).encode()
    return parse_line(data).run_request(defaults or {}, template)


def line_error(line: Any, defaults: dict[str, Any] | None = None, template: str | None = None) -> str:
    with pytest.raises(InvalidInput) as caught:
        run_request(line, defaults, template)
    return str(caught.value)


@pytest.mark.parametrize("fields", [{"inputs": ["a"]}, {"input_key": "a/b.jsonl"}])
def test_a_batch_has_inputs_or_an_object_with_them(fields: Any) -> None:
    request = BatchRequest.model_validate(fields)

    assert (request.concurrency, request.tolerated_failures, request.budget_usd) == (50, 1, None)


def test_a_batch_without_inputs_names_both_sources() -> None:
    assert errors_of() == [("inputs", "is required, or input_key")]
    assert errors_of(inputs=None, input_key=None) == [("inputs", "is required, or input_key")]


def test_a_batch_with_both_sources_is_rejected() -> None:
    assert errors_of(inputs=["a"], input_key="b") == [("inputs", "must not stand beside input_key")]


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"inputs": []}, "inputs", "at least 1 item"),
        ({"inputs": ["a"] * (MAX_INLINE_INPUTS + 1)}, "inputs", "at most 1000 items"),
        ({"inputs": "a"}, "inputs", "valid tuple"),
        ({"inputs": [3]}, "inputs.0", "valid string"),
        ({"inputs": [None]}, "inputs.0", "valid string"),
        ({"inputs": [["a"]]}, "inputs.0", "valid string"),
        ({"input_key": ""}, "input_key", "at least 1 character"),
        ({"input_key": "x" * 1025}, "input_key", "at most 1024"),
        ({"input_key": "a\nb"}, "input_key", "must be printable characters"),
        ({"input_key": "a\0"}, "input_key", "must be printable characters"),
        ({"input_key": "a", "input_format": "xml"}, "input_format", "'jsonl' or 'csv'"),
        ({"input_key": "a", "concurrency": 0}, "concurrency", "greater than or equal to 1"),
        ({"input_key": "a", "concurrency": 1001}, "concurrency", "less than or equal to 1000"),
        ({"input_key": "a", "tolerated_failures": -0.1}, "tolerated_failures", "greater than or equal to 0"),
        ({"input_key": "a", "tolerated_failures": 10}, "tolerated_failures", "less than or equal to 1"),
        ({"input_key": "a", "tolerated_failures": float("nan")}, "tolerated_failures", "finite number"),
        ({"input_key": "a", "budget_usd": 0}, "budget_usd", "greater than or equal to"),
        ({"input_key": "a", "budget_usd": 5e-324}, "budget_usd", "greater than or equal to"),
        ({"input_key": "a", "budget_usd": float("inf")}, "budget_usd", "finite number"),
        ({"input_key": "a", "prompt_template": " "}, "prompt_template", "must not be empty"),
        ({"input_key": "a", "completion_window": "24h"}, "completion_window", "'soonest', '2h' or '8h'"),
        ({"input_key": "a", "metadata": {"a": 1}}, "metadata.a", "valid string"),
        ({"input_key": "a", "model": "gpt-5"}, "model", "Extra inputs are not permitted"),
    ],
)
def test_an_invalid_field_is_named_with_the_reason(fields: Any, field: str, reason: str) -> None:
    ((found, message), *_) = errors_of(**fields)

    assert found.startswith(field)
    assert reason in message


@pytest.mark.parametrize(
    "value", ["\ud800", {"prompt": "\ud800"}, {"\ud800": "x"}, {"a": [float("nan")]}, {"a": float("inf")}]
)
def test_inputs_that_are_no_json_are_rejected_at_once(value: Any) -> None:
    """JSON escapes write halves of surrogate pairs, which nothing can store."""
    errors = dict(errors_of(inputs=["good", value]))

    assert any(field.startswith("inputs.1") for field in errors)


@pytest.mark.parametrize("levels", [65, 300, 900])
def test_inputs_that_are_too_deep_are_rejected_at_once(levels: int) -> None:
    value: Any = []
    for _ in range(levels):
        value = [value]

    ((field, reason), *_) = (each for each in errors_of(inputs=[{"a": value}]) if "nested" in each[1])
    assert field.startswith("inputs.0")
    assert reason == "must not be nested in more than 64 levels"


@pytest.mark.parametrize(
    ("defaults", "reason"),
    [
        ({"temprature": 1}, "temprature: Extra inputs are not permitted"),
        ({"temperature": 3}, "temperature: Input should be less than or equal to 2"),
        ({"limits": {"seconds": -1}}, "limits.seconds: Input should be greater"),
        ({"callback_url": "ftp://x"}, "callback_url: String should match pattern"),
        ({"run_api": "chat"}, "run_api: Input should be"),
        ({"prompt": "a"}, "must not have 'prompt'"),
        ({"input": [{"role": "user", "content": "a"}]}, "must not have 'input'"),
        ({"previous_run_id": "run_1"}, "must not have 'previous_run_id'"),
        ({"completion_window": "2h"}, "must not have 'completion_window'"),
        ({"metadata": {"a": "\ud800"}}, "must be JSON, of Unicode text and finite numbers"),
        ({"temperature": float("nan")}, "must be JSON, of Unicode text and finite numbers"),
    ],
)
def test_an_invalid_default_is_named_with_the_reason(defaults: Any, reason: str) -> None:
    ((field, message),) = errors_of(inputs=["a"], defaults=defaults)

    assert field == "defaults"
    assert message.startswith(reason)


def test_defaults_that_are_too_large_are_rejected() -> None:
    ((field, reason),) = errors_of(inputs=["a"], defaults={"instructions": "x" * 200_000})

    assert field == "defaults"
    assert "200,000 bytes" in reason


def test_the_completion_window_of_a_batch_is_that_of_its_runs() -> None:
    request = BatchRequest(inputs=("a",), defaults={"model": "m"}, completion_window="2h")

    assert request.run_defaults() == {"model": "m", "completion_window": "2h"}
    assert BatchRequest(inputs=("a",)).run_defaults() == {}


def test_the_description_of_the_request_shows_that_one_source_is_required() -> None:
    assert BatchRequest.model_json_schema()["oneOf"] == [
        {"required": ["inputs"]},
        {"required": ["input_key"]},
    ]


def test_a_string_is_a_prompt() -> None:
    assert run_request("Grüße 😀") == RunRequest(prompt="Grüße 😀")


def test_an_object_has_the_fields_of_a_run_and_replaces_defaults() -> None:
    request = run_request(
        {"prompt": "Go.", "model": "m2", "limits": {"rounds": 2}}, {"model": "m1", "temperature": 0.5}
    )

    assert (request.model, request.temperature, request.limits.rounds) == ("m2", 0.5, 2)


def test_a_line_may_be_a_conversation() -> None:
    request = run_request({"input": [{"role": "user", "content": "Hi."}]})

    assert request.prompt is None
    assert request.input is not None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "line: is not JSON: Expecting value"),
        (b"{", "line: is not JSON: Expecting property name"),
        (b"Go.", "line: is not JSON: Expecting value"),
        (b'"a" "b"', "line: is not JSON: Extra data"),
        (b"{'prompt': 'a'}", "line: is not JSON: Expecting property name"),
        (b'{"prompt": "a",}', "line: is not JSON: "),
        (b'"\xff"', "line: is not JSON: cannot be read"),
        (b'"caf\xe9"', "line: is not JSON: cannot be read"),
        (b"1" * 5000, "line: is not JSON: cannot be read"),
        (b"[" * 100_000, "line: is not JSON: cannot be read"),
        (b"[]", "line: must be a JSON string or object"),
        (b'["a"]', "line: must be a JSON string or object"),
        (b"3", "line: must be a JSON string or object"),
        (b"null", "line: must be a JSON string or object"),
        (b"true", "line: must be a JSON string or object"),
        (b"NaN", "line: must be a JSON string or object"),
        (b'""', "prompt: must not be empty"),
        (b'" "', "prompt: must not be empty"),
        (b"{}", "prompt: is required, or input"),
        (b'{"prompt": 3}', "prompt: Input should be a valid string"),
        (b'{"prompt": "a", "input": []}', "input: Tuple should have at least 1 item"),
        (b'{"prompt": "a", "temperature": NaN}', "line: must be JSON, of Unicode text and finite numbers"),
        (b'{"prompt": "a", "x": Infinity}', "line: must be JSON, of Unicode text and finite numbers"),
        (b'{"prompt": "\\ud800"}', "line: must be JSON, of Unicode text and finite numbers"),
        (b'"\\udc00"', "line: must be JSON, of Unicode text and finite numbers"),
        (b'{"\\ud800": 1, "prompt": "a"}', "line: must be JSON, of Unicode text and finite numbers"),
        (b'{"custom_id": "\\ud800", "prompt": "a"}', "line: must be JSON, of Unicode text"),
        (b'{"prompt": "a", "question": "b"}', "question: Extra inputs are not permitted"),
        (b'{"custom_id": 3, "prompt": "a"}', "custom_id: must be a string of 1 to 200 characters"),
        (b'{"custom_id": "", "prompt": "a"}', "custom_id: must be a string of 1 to 200 characters"),
    ],
)
def test_a_line_that_no_run_can_be_started_from_says_why(line: bytes, reason: str) -> None:
    message = line_error(line)

    assert message.startswith(reason)
    message.encode()  # it can be written as JSON


@pytest.mark.parametrize("levels", [70, 500, 900, 2000])
@pytest.mark.parametrize("template", [None, "Read {{a}}."])
def test_a_line_that_is_too_deep_says_so(levels: int, template: str | None) -> None:
    message = line_error(b'{"a": ' + b"[" * levels + b"]" * levels + b"}", template=template)

    assert message in (
        "line: must not be nested in more than 64 levels",
        "line: is not JSON: cannot be read",
    )


def test_of_keys_that_are_repeated_the_last_one_counts() -> None:
    """As in a request for one run."""
    assert run_request(b'{"prompt": "a", "prompt": "b"}').prompt == "b"


def test_numbers_that_are_written_longer_than_they_were_sent_are_no_error() -> None:
    line = b'{"prompt": "a", "n": [' + b",".join([b"1e15"] * 190_000) + b"]}"
    assert len(line) < 1_000_000

    assert line_error(line) == "n: Extra inputs are not permitted"


def test_a_prompt_that_is_too_long_says_how_long_it_may_be() -> None:
    assert f"prompt: must be at most {MAX_PROMPT_BYTES:,} bytes" in line_error("x" * (MAX_PROMPT_BYTES + 1))


def test_a_custom_id_names_the_line_and_is_no_field_of_the_run() -> None:
    line = parse_line(b'{"custom_id": "order 4711", "prompt": "a"}')

    assert line.custom_id == "order 4711"
    assert line.run_request({}, None) == RunRequest(prompt="a")


def test_a_line_that_no_run_can_be_started_from_keeps_its_custom_id() -> None:
    line = parse_line(b'{"custom_id": "order 4711", "prompt": ""}')

    with pytest.raises(InvalidInput):
        line.run_request({}, None)
    assert line.custom_id == "order 4711"


def test_a_custom_id_may_have_so_many_characters() -> None:
    longest = "ä" * MAX_CUSTOM_ID_CHARACTERS

    assert parse_line(json.dumps({"custom_id": longest}).encode()).custom_id == longest
    assert "custom_id" in line_error({"custom_id": longest + "x"})
    assert parse_line(b'{"custom_id": null}').custom_id is None


def test_a_template_is_filled_with_the_fields_of_the_line() -> None:
    request = run_request(
        {"city": "Oslo", "custom_id": "7"}, {"model": "m"}, "Name {{city}} ({{custom_id}})."
    )

    assert (request.prompt, request.model) == ("Name Oslo (7).", "m")


def test_a_string_fills_the_placeholder_prompt() -> None:
    assert run_request("Oslo", template="Name {{prompt}}.").prompt == "Name Oslo."


def test_with_a_template_fields_of_a_run_are_those_of_the_template() -> None:
    assert run_request({"city": "Oslo", "model": "other"}, {"model": "m"}, "{{city}}").model == "m"


@pytest.mark.parametrize(
    ("template", "prompt"),
    [
        ("{{a}}", "x"),
        ("{{ a }}", "x"),
        ("{{\ta\n}}", "x"),
        ("{{a}}{{a}}", "xx"),
        ("{{first name}} {{ first name }}", "y y"),
        ("{a} {{}} { {a} }", "{a} {{}} { {a} }"),
        ("{{{a}}}", "{x}"),
        ('{"city": "{{a}}"}', '{"city": "x"}'),
        ("{{n}} {{b}} {{none}} {{list}}", '1.5 true null ["ä"]'),
        ("{{brace}}", "{{a}}"),
        ("{{back}}", "\\1 \\g<0>"),
        ("no placeholder", "no placeholder"),
    ],
)
def test_placeholders_are_replaced_and_nothing_else(template: str, prompt: str) -> None:
    fields = {
        "a": "x",
        "first name": "y",
        "n": 1.5,
        "b": True,
        "none": None,
        "list": ["ä"],
        "brace": "{{a}}",
        "back": "\\1 \\g<0>",
    }

    assert fill_template(template, fields) == prompt


def test_a_placeholder_that_the_line_lacks_is_named() -> None:
    assert line_error({"town": "Oslo"}, template="Name {{city}}.") == (
        "prompt_template: names 'city', which this line does not have"
    )


def test_a_template_of_spaces_is_filled_at_once() -> None:
    """A pattern with spaces before and after a name takes time in the cube of their number."""
    template = "{{" + " " * 50_000 + "x"

    assert fill_template(template, {}) == template


def test_a_filled_template_that_is_too_long_or_empty_is_an_error_of_the_line() -> None:
    assert "prompt: must be at most" in line_error({"a": "x" * 60_000}, template="{{a}}{{a}}")
    assert "prompt: must not be empty" in line_error({"a": " "}, template="{{a}} ")


def test_a_share_that_is_too_small_for_the_table_is_none() -> None:
    assert BatchRequest(input_key="a", tolerated_failures=5e-324).tolerated_failures == 0
