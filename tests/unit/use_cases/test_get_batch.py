from datetime import timedelta

import pytest
from support.batch_records import BATCH_ID, COMPLETED, FAILED, new_batch
from support.batch_repository_contract import line_of
from support.fakes.batch_repository import InMemoryBatchRepository
from support.fakes.clock import START, FakeClock

from upcall.domain.batch import LineEnd
from upcall.domain.caller import Caller
from upcall.domain.errors import NotFound
from upcall.use_cases.get_batch import get_batch

ANN = Caller("ann", one_tenant=False)


def test_a_batch_is_shown_with_how_far_it_is(batches: InMemoryBatchRepository, clock: FakeClock) -> None:
    batch = batches.record_lines(batches.add_batch(new_batch()), 20, START)
    for number, end in enumerate([COMPLETED, COMPLETED, FAILED, COMPLETED, COMPLETED, None, None], 1):
        batches.claim_line(batch, line_of(number))
        if end:
            batches.end_line(BATCH_ID, number, end, START)
    clock.advance(10)

    view = get_batch(BATCH_ID, ANN, batches=batches, clock=clock)

    assert (view.status, view.lines, view.waiting, view.under_way) == ("in_progress", 20, 13, 2)
    assert (view.counts.completed, view.counts.failed, view.counts.usage.usd) == (4, 1, 1.5)
    assert view.estimated_end_at == START + timedelta(seconds=40)
    assert view.results_url is None


def test_a_batch_that_has_ended_has_nothing_under_way(
    batches: InMemoryBatchRepository, clock: FakeClock
) -> None:
    batch = batches.record_lines(batches.add_batch(new_batch()), 1, START)
    batches.claim_line(batch, line_of(1))
    batches.end_line(BATCH_ID, 1, LineEnd(status="completed"), START)
    batches.end_batch(batch, "completed", 1, START)

    view = get_batch(BATCH_ID, ANN, batches=batches, clock=clock)

    assert (view.under_way, view.waiting, view.ended_at) == (0, 0, START)
    assert view.results_url == "/batches/batch_1/results"


def test_a_batch_of_another_caller_is_not_found_as_a_missing_one_is(
    batches: InMemoryBatchRepository, clock: FakeClock
) -> None:
    def message(batch_id: str, caller: Caller) -> str:
        with pytest.raises(NotFound) as caught:
            get_batch(batch_id, caller, batches=batches, clock=clock)
        return str(caught.value)

    batches.add_batch(new_batch())
    bob = Caller("bob", one_tenant=False)

    assert message(BATCH_ID, bob).replace("batch_1", "X") == message("batch_2", bob).replace("batch_2", "X")
    assert get_batch(BATCH_ID, Caller("bob", one_tenant=True), batches=batches, clock=clock).owner == "ann"
