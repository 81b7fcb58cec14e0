from datetime import timedelta
from typing import Any

import pytest
from support.batch_records import new_batch
from support.fakes.clock import START

from upcall.domain.batch import Batch, BatchCounts
from upcall.domain.batch_view import BatchView


def view(batch: Batch, counts: BatchCounts, under_way: int = 0, seconds: float = 0) -> BatchView:
    return BatchView.of(batch, counts, under_way, START + timedelta(seconds=seconds))


def running(**fields: Any) -> Batch:
    return new_batch(**{"status": "in_progress", "lines": 100, "started_at": START, **fields})


def test_lines_wait_that_neither_run_nor_have_ended() -> None:
    seen = view(running(), BatchCounts(completed=3, failed=2, cancelled=1), under_way=4)

    assert (seen.lines, seen.waiting, seen.under_way, seen.counts.ended) == (100, 90, 4, 6)


def test_lines_that_are_not_counted_yet_are_no_number() -> None:
    seen = view(new_batch(), BatchCounts())

    assert (seen.lines, seen.waiting, seen.estimated_end_at, seen.results_url) == (None, None, None, None)


def test_a_line_that_has_just_ended_may_still_seem_under_way() -> None:
    assert view(running(lines=3), BatchCounts(completed=3), under_way=1).waiting == 0


def test_the_end_is_estimated_from_the_lines_that_have_ended() -> None:
    assert view(running(), BatchCounts(completed=20, failed=5), seconds=50).estimated_end_at == (
        START + timedelta(seconds=200)
    )
    assert view(running(), BatchCounts(completed=100), seconds=50).estimated_end_at == (
        START + timedelta(seconds=50)
    )


@pytest.mark.parametrize(
    "batch",
    [
        new_batch(),
        running(status="finalizing"),
        running(status="cancelling"),
        running(status="completed"),
        running(lines=0),
    ],
)
def test_no_end_is_estimated_of_a_batch_that_starts_no_lines(batch: Batch) -> None:
    assert view(batch, BatchCounts(completed=50), seconds=10).estimated_end_at is None


def test_no_end_is_estimated_from_a_few_lines() -> None:
    assert view(running(), BatchCounts(completed=4), seconds=10).estimated_end_at is None


@pytest.mark.parametrize(
    ("status", "url"),
    [
        ("in_progress", None),
        ("completed", "/batches/batch_1/results"),
        ("failed", "/batches/batch_1/results"),
    ],
)
def test_results_can_be_read_once_a_batch_has_ended(status: str, url: str | None) -> None:
    assert view(running(status=status), BatchCounts()).results_url == url


def test_the_digest_of_the_request_is_not_shown() -> None:
    assert "secret" not in view(running(fingerprint="secret"), BatchCounts()).model_dump_json()
