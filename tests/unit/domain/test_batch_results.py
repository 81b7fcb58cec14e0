import pytest
from support.batch_records import COMPLETED, FAILED, new_batch

from upcall.domain.batch import BatchLine, LineEnd
from upcall.domain.batch_results import LineResult, PartSize, ResultPart


def test_the_result_of_a_line_has_its_run_its_message_and_its_usage() -> None:
    line = BatchLine(line=3, run_id="run_1", custom_id="a", task_token="token", end=COMPLETED)  # noqa: S106

    assert LineResult.of(line, "Done.").model_dump(exclude_none=True) == {
        "line": 3,
        "custom_id": "a",
        "run_id": "run_1",
        "status": "completed",
        "message": "Done.",
        "usage": COMPLETED.usage.model_dump(),
    }


def test_the_result_of_a_failure_has_the_reason() -> None:
    result = LineResult.of(BatchLine(line=3, run_id="run_2", end=FAILED), None)

    assert (result.status, result.failure, result.message) == ("expired", FAILED.failure, None)


def test_a_line_for_which_no_run_was_started_names_none() -> None:
    """It would be the id of a run that does not exist."""
    line = BatchLine(line=3, run_id="run_3", end=LineEnd(status="failed"))

    assert LineResult.of(line, None).run_id is None


def test_a_line_that_has_not_ended_has_no_result() -> None:
    with pytest.raises(ValueError, match="line 3 has not ended"):
        LineResult.of(BatchLine(line=3, run_id="run_3"), None)


@pytest.mark.parametrize(("failures", "key"), [(0, None), (2, "batch_1/failures/00007.jsonl")])
def test_a_part_names_its_objects(failures: int, key: str | None) -> None:
    part = ResultPart.of(new_batch(), 7, PartSize(first_line=1, lines=3, bytes=9, failures=failures))

    assert (part.key, part.failures_key) == ("batch_1/results/00007.jsonl", key)
