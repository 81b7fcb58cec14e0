from typing import Any

import pytest
from pydantic import ValidationError

from upcall.domain.run_request import MAX_PROMPT_BYTES, RunRequest


@pytest.mark.parametrize("prompt", ["", "   ", "\n\t"])
def test_an_empty_prompt_is_rejected(prompt: str) -> None:
    with pytest.raises(ValidationError, match="must not be empty"):
        RunRequest(prompt=prompt)


def test_the_maximum_of_a_prompt_is_in_bytes_of_utf_8() -> None:
    RunRequest(prompt="x" * MAX_PROMPT_BYTES)
    with pytest.raises(ValidationError, match="at most 102,400 bytes of UTF-8, not 102,402"):
        RunRequest(prompt="ä" * (MAX_PROMPT_BYTES // 2 + 1))


def test_a_lone_surrogate_is_rejected() -> None:
    with pytest.raises(ValidationError, match=r"surrogate|unicode"):
        RunRequest(prompt="x\ud800")


@pytest.mark.parametrize("body", [{}, {"prompt": None}, {"input": None}])
def test_a_request_needs_a_prompt_or_an_input(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="prompt\n.*is required, or input"):
        RunRequest.model_validate(body)


def test_a_request_has_either_a_prompt_or_an_input() -> None:
    with pytest.raises(ValidationError, match="must not stand beside input"):
        RunRequest.model_validate({"prompt": "Go.", "input": [{"role": "user", "content": "Go."}]})


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        ([], "at least 1 item"),
        ([{"role": "assistant", "content": "Hello."}], "must end with an item of the user"),
        ([{"role": "user", "content": " "}], "must not be empty"),
        ([{"role": "system", "content": "Obey."}], "should be 'user' or 'assistant'"),
        ([{"role": "user", "content": "x" * 60_000}] * 2, "at most 102,400 bytes of UTF-8, not 120,000"),
        ([{"role": "user", "content": "Hm"}] * 201, "at most 200 items"),
    ],
)
def test_an_invalid_input_is_rejected(items: list[dict[str, str]], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        RunRequest.model_validate({"input": items})


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"name": "no spaces", "schema": {}}, "should match pattern"),
        ({"name": "it"}, "schema\n.*Field required"),
        ({"name": "it", "schema": {"a": float("nan")}}, "must be JSON"),
        ({"name": "it", "schema": {"a": "\ud800"}}, "must be JSON"),
        ({"name": "it", "schema": {"a": "x" * 40_000}}, "at most 32,768 bytes of JSON"),
        ({"name": "it", "schema": {}, "colour": "red"}, "Extra inputs are not permitted"),
    ],
)
def test_an_invalid_response_format_is_rejected(schema: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        RunRequest.model_validate(
            {"prompt": "Go.", "response_format": {"type": "json_schema", "json_schema": schema}}
        )


@pytest.mark.parametrize(
    "url", ["ftp://a.test/", "a.test", "http://a b.test/", "https://ä.test/", "https://"]
)
def test_an_invalid_callback_url_is_rejected(url: str) -> None:
    with pytest.raises(ValidationError, match="callback_url"):
        RunRequest(prompt="Go.", callback_url=url)


def test_an_unknown_field_is_rejected() -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        RunRequest.model_validate({"prompt": "Go.", "promt": "Go."})


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"instructions": " "}, "instructions\n.*must not be empty"),
        ({"instructions": "x" * 102_401}, "instructions\n.*at most 102,400 bytes"),
        ({"temperature": 2.1}, "temperature\n.*less than or equal to 2"),
        ({"temperature": -0.1}, "temperature\n.*greater than or equal to 0"),
        ({"temperature": float("nan")}, "temperature\n"),
        ({"max_output_tokens": 0}, "max_output_tokens\n.*greater than or equal to 1"),
        ({"reasoning": {"effort": "Very high"}}, r"reasoning\.effort\n.*should match pattern"),
        ({"reasoning": {"budget": 1}}, r"reasoning\.effort\n.*Field required"),
    ],
)
def test_an_invalid_option_of_the_model_is_named(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        RunRequest.model_validate({"prompt": "Go.", **fields})
