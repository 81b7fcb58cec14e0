import pytest
from pydantic import ValidationError

from upcall.run import MAX_PROMPT_BYTES, Run, RunRequest, RunView


def new() -> Run:
    return Run.new(prompt="Go.", assistant="summarizer", model="m", run_api="responses")


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


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        RunRequest.model_validate({"prompt": "Go.", "promt": "Go."})


def test_the_callers_view_shows_no_ids_of_the_server() -> None:
    shown = RunView.of(new(), "Done.").model_dump_json(exclude_none=True)

    assert '"message":"Done."' in shown
    assert "handle" not in shown
    assert "message_parts" not in shown
