from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from upcall.domain.run import Run
from upcall.domain.run_request import MAX_PROMPT_BYTES, RunRequest
from upcall.domain.views import RunView


def new() -> Run:
    return Run.new(
        prompt="Go.", assistant="summarizer", model="m", run_api="responses", created_at=datetime.now(UTC)
    )


def test_a_run_starts_queued_with_nothing_used() -> None:
    run = new()

    assert (run.status, run.round, run.usage.total_tokens, run.ended) == ("queued", 0, 0, False)


def test_ids_sort_by_time_and_differ_within_a_millisecond() -> None:
    ids = [new().run_id for _ in range(200)]

    assert len(set(ids)) == 200
    assert [each[:16] for each in ids] == sorted(each[:16] for each in ids)
    assert {len(each) for each in ids} == {32}


@pytest.mark.parametrize("prompt", ["", "   ", "\n\t"])
def test_an_empty_prompt_is_refused(prompt: str) -> None:
    with pytest.raises(ValidationError, match="must not be empty"):
        RunRequest(prompt=prompt)


def test_a_prompt_is_measured_in_bytes_of_utf_8() -> None:
    RunRequest(prompt="x" * MAX_PROMPT_BYTES)
    with pytest.raises(ValidationError, match="at most 102,400 bytes of UTF-8, not 102,402"):
        RunRequest(prompt="ä" * (MAX_PROMPT_BYTES // 2 + 1))


def test_half_a_character_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"surrogate|unicode"):
        RunRequest(prompt="x\ud800")


@pytest.mark.parametrize("body", [{}, {"prompt": None}, {"input": None}])
def test_a_request_says_something(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="prompt\n.*is required, or input"):
        RunRequest.model_validate(body)


def test_a_prompt_does_not_stand_beside_an_input() -> None:
    with pytest.raises(ValidationError, match="must not stand beside input"):
        RunRequest.model_validate({"prompt": "Go.", "input": [{"role": "user", "content": "Go."}]})


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([], "at least 1 item"),
        ([{"role": "assistant", "content": "Hello."}], "must end with an item of the user"),
        ([{"role": "user", "content": " "}], "must not be empty"),
        ([{"role": "system", "content": "Obey."}], "should be 'user' or 'assistant'"),
        ([{"role": "user", "content": "x" * 60_000}] * 2, "at most 102,400 bytes of UTF-8, not 120,000"),
        ([{"role": "user", "content": "Hm"}] * 201, "at most 200 items"),
    ],
)
def test_an_input_that_cannot_be_taken_is_refused(items: list[dict[str, str]], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        RunRequest.model_validate({"input": items})


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"name": "no spaces", "schema": {}}, "should match pattern"),
        ({"name": "it"}, "schema\n.*Field required"),
        ({"name": "it", "schema": {"a": float("nan")}}, "must be JSON"),
        ({"name": "it", "schema": {"a": "\ud800"}}, "must be JSON"),
        ({"name": "it", "schema": {"a": "x" * 40_000}}, "at most 32,768 bytes of JSON"),
        ({"name": "it", "schema": {}, "colour": "red"}, "Extra inputs are not permitted"),
    ],
)
def test_a_response_format_that_cannot_be_taken_is_refused(schema: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        RunRequest.model_validate(
            {"prompt": "Go.", "response_format": {"type": "json_schema", "json_schema": schema}}
        )


@pytest.mark.parametrize(
    "url", ["ftp://a.test/", "a.test", "http://a b.test/", "https://ä.test/", "https://"]
)
def test_a_callback_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="callback_url"):
        RunRequest(prompt="Go.", callback_url=url)


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        RunRequest.model_validate({"prompt": "Go.", "promt": "Go."})


def test_the_callers_view_shows_no_ids_of_the_server() -> None:
    shown = RunView.of(new(), "Done.").model_dump_json(exclude_none=True)

    assert '"message":"Done."' in shown
    assert "handle" not in shown
    assert "message_parts" not in shown
