from datetime import timedelta
from typing import Any

import pytest
from support.batch_records import COMPLETED, new_batch
from support.fakes.clock import START
from support.run_records import FAILURE, USAGE, new_run

from upcall.domain.batch import (
    CANCELLED,
    BatchCounts,
    BatchEndedEvent,
    LineEnd,
    batch_id_of_key,
    new_batch_id,
    no_such_batch,
)
from upcall.domain.failure import Failure
from upcall.domain.run import run_id_prefix
from upcall.domain.usage import Usage


def counts(failed: int = 0, usd: float | None = 0.0, completed: int = 0) -> BatchCounts:
    return BatchCounts(failed=failed, completed=completed, usage=Usage(usd=usd))


def test_ids_are_new_each_time_and_sort_by_the_time_of_creation() -> None:
    later = new_batch_id(START + timedelta(milliseconds=1))
    first, second = new_batch_id(START), new_batch_id(START)

    assert first != second
    assert max(first, second) < later
    assert all(len(each) == len("batch_") + 28 for each in (first, second, later))


def test_a_key_of_an_owner_stands_for_one_batch() -> None:
    assert batch_id_of_key("ann", "key") == batch_id_of_key("ann", "key")
    assert len(batch_id_of_key("ann", "key")) == len(new_batch_id(START))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("ann", "key"), ("bob", "key")),
        (("ann", "key"), ("ann", "other")),
        (("ann", "smith key"), ("ann smith", "key")),
        (('ann", "x', "y"), ("ann", 'x", "y')),
    ],
)
def test_other_owners_and_keys_stand_for_other_batches(
    first: tuple[str, str], second: tuple[str, str]
) -> None:
    assert batch_id_of_key(*first) != batch_id_of_key(*second)


def test_a_line_has_one_run_whoever_starts_it() -> None:
    batch = new_batch()
    ids = {batch.run_id(line) for line in range(1, 2000)}

    assert len(ids) == 1999
    assert batch.run_id(7) == new_batch(status="in_progress", attempt=3).run_id(7)
    assert batch.run_id(7) != new_batch(batch_id="batch_2").run_id(7)
    assert batch.run_id(7).startswith(run_id_prefix(START))
    assert len(batch.run_id(7)) == len(new_run().run_id)


def test_each_attempt_is_an_execution_of_its_own() -> None:
    assert [new_batch(attempt=n).execution_name for n in (1, 2, 10)] == ["batch_1", "batch_1-2", "batch_1-10"]


def test_all_objects_of_a_batch_are_in_its_folder() -> None:
    batch = new_batch()

    assert {batch.inputs_key, batch.index_key, batch.manifest_key} == {
        "batch_1/inputs.jsonl",
        "batch_1/index.csv",
        "batch_1/manifest.json",
    }


def test_a_batch_without_limits_has_no_reason_to_stop() -> None:
    assert new_batch(lines=2).stop_reason(counts(failed=2, usd=None)) is None


def test_the_reason_that_is_written_down_holds() -> None:
    failure = Failure(code="invalid_input", message="The file has no lines.")
    batch = new_batch(failure=failure, budget_usd=1, status="cancelling")

    assert batch.stop_reason(counts(usd=2)) == failure


def test_a_batch_that_is_being_cancelled_starts_nothing() -> None:
    assert new_batch(status="cancelling").stop_reason(counts()) == CANCELLED


@pytest.mark.parametrize(("usd", "stops"), [(0, False), (0.99, False), (1, True), (1.2, True)])
def test_a_budget_is_kept_from_the_dollar_on_that_reaches_it(usd: float, stops: bool) -> None:
    reason = new_batch(budget_usd=1, lines=9).stop_reason(counts(usd=usd))

    assert (reason is not None) == stops
    if reason:
        assert reason.code == "budget_usd"
        assert reason.message == f"The runs have cost {usd:.4f} $; the budget is 1.0000 $."


def test_a_budget_without_a_price_stops_the_batch_and_says_so() -> None:
    reason = new_batch(budget_usd=1).stop_reason(counts(usd=None))

    assert reason is not None
    assert reason.code == "no_price"
    assert "without a known price" in reason.message


@pytest.mark.parametrize(
    ("share", "failed", "lines", "stops"),
    [
        (0, 0, 3, False),
        (0, 1, 3, True),
        (0.5, 1, 2, False),
        (0.5, 2, 3, True),
        (0.29, 29, 100, False),
        (0.29, 30, 100, True),
        (0.07, 7, 100, False),
        (0.57, 57, 100, False),
        (0.1, 3, 30, False),
        (0.1, 4, 30, True),
        (1, 3, 3, False),
        (0, 0, 0, False),
        (0, 1, None, False),
    ],
)
def test_a_share_of_failures_is_tolerated_and_no_more(
    share: float, failed: int, lines: int | None, stops: bool
) -> None:
    """29 of 100 are 29 %, although 0.29 times 100 is less than 29 in binary numbers."""
    reason = new_batch(tolerated_failures=share, lines=lines).stop_reason(counts(failed=failed))

    assert (reason is not None) == stops
    if reason:
        assert reason.code == "tolerated_failures"
        assert f"{failed} of {lines} lines failed; {share:.1%} are tolerated." == reason.message


def test_a_batch_that_was_stored_with_its_fractions_as_text_is_read() -> None:
    stored: dict[str, Any] = {
        **new_batch().model_dump(exclude_none=True),
        "defaults": '{"temperature": 0.5}',
        "tolerated_failures": "0.25",
        "budget_usd": "0.1",
    }
    batch = new_batch().from_item(stored)

    assert batch.defaults == {"temperature": 0.5}
    assert (batch.tolerated_failures, batch.budget_usd) == (0.25, 0.1)


@pytest.mark.parametrize("status", ["completed", "failed", "expired", "incomplete", "cancelled"])
def test_a_line_ends_as_its_run_did(status: Any) -> None:
    failure = None if status == "completed" else FAILURE
    run = new_run().model_copy(update={"status": status, "failure": failure, "usage": USAGE})

    assert LineEnd.of(run) == LineEnd(run_id=run.run_id, status=status, failure=failure, usage=USAGE)


@pytest.mark.parametrize(
    ("status", "detail_type"),
    [("completed", "Batch Completed"), ("failed", "Batch Failed"), ("cancelled", "Batch Cancelled")],
)
def test_the_event_of_a_batch_says_how_it_ended_and_nothing_of_its_inputs(
    status: str, detail_type: str
) -> None:
    batch = new_batch(
        status=status, prompt_template="secret", defaults={"instructions": "secret"}, ended_at=START, lines=3
    )
    event = BatchEndedEvent.of(batch, BatchCounts(completed=3, usage=COMPLETED.usage))

    assert event.event == detail_type
    assert (event.lines, event.counts.completed, event.results_folder) == (3, 3, "batch_1/")
    assert "secret" not in event.model_dump_json()


def test_a_batch_that_ended_before_its_lines_were_counted_had_none() -> None:
    assert BatchEndedEvent.of(new_batch(status="cancelled"), BatchCounts()).lines == 0


def test_a_missing_batch_is_named() -> None:
    assert str(no_such_batch("batch_x")) == "there is no batch 'batch_x'"
