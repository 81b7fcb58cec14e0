import pytest
from support.batch_records import COMPLETED
from support.batch_repository_contract import add_numbered_batch, line_of
from support.fakes.batch_repository import InMemoryBatchRepository
from support.fakes.clock import START, FakeClock

from upcall.domain.batch_view import BatchList
from upcall.domain.caller import Caller
from upcall.use_cases.list_batches import list_batches

ANN = Caller("ann", one_tenant=False)


def ids(page: BatchList) -> list[str]:
    return [batch.batch_id for batch in page.batches]


@pytest.fixture(autouse=True)
def _some_batches(batches: InMemoryBatchRepository) -> None:
    """Three of ann's, the newest last, and one of bob's."""
    for number in range(3):
        add_numbered_batch(batches, number)
    add_numbered_batch(batches, 3, owner="bob")


def test_a_caller_sees_its_own_batches_newest_first(
    batches: InMemoryBatchRepository, clock: FakeClock
) -> None:
    page = list_batches(None, 10, None, ANN, batches=batches, clock=clock)

    assert (ids(page), page.next_cursor) == (["batch_2", "batch_1", "batch_0"], None)


def test_callers_of_a_stack_with_one_tenant_see_all_batches(
    batches: InMemoryBatchRepository, clock: FakeClock
) -> None:
    page = list_batches(None, 10, None, Caller("carla", one_tenant=True), batches=batches, clock=clock)

    assert ids(page) == ["batch_3", "batch_2", "batch_1", "batch_0"]


def test_the_cursor_of_a_page_leads_to_the_next(batches: InMemoryBatchRepository, clock: FakeClock) -> None:
    first = list_batches(None, 2, None, ANN, batches=batches, clock=clock)
    second = list_batches(None, 2, first.next_cursor, ANN, batches=batches, clock=clock)

    assert (ids(first), ids(second), second.next_cursor) == (["batch_2", "batch_1"], ["batch_0"], None)


def test_each_batch_is_shown_with_how_far_it_is(batches: InMemoryBatchRepository, clock: FakeClock) -> None:
    batch = batches.record_lines(batches.get_batch("batch_1"), 4, START)
    for number in (1, 2, 3):
        batches.claim_line(batch, line_of(number))
    batches.end_line(batch.batch_id, 1, COMPLETED, START)

    newest, shown, _ = list_batches(None, 10, None, ANN, batches=batches, clock=clock).batches

    assert (shown.status, shown.lines, shown.waiting, shown.under_way) == ("in_progress", 4, 1, 2)
    assert (shown.counts.completed, newest.counts.completed) == (1, 0)


def test_lines_of_batches_that_have_ended_are_not_counted(
    batches: InMemoryBatchRepository, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is one more request for each batch that is open."""
    for number in range(3):
        batches.end_batch(batches.get_batch(f"batch_{number}"), "completed", 1, START)
    monkeypatch.delattr(InMemoryBatchRepository, "list_open_lines")

    assert len(list_batches(None, 10, None, ANN, batches=batches, clock=clock).batches) == 3


def test_who_sees_the_batches_of_all_may_list_those_of_one_caller(
    batches: InMemoryBatchRepository, clock: FakeClock
) -> None:
    carla = Caller("carla", one_tenant=True)

    assert ids(list_batches("bob", 10, None, carla, batches=batches, clock=clock)) == ["batch_3"]
    assert ids(list_batches("ann", 1, None, carla, batches=batches, clock=clock)) == ["batch_2"]
    assert ids(list_batches("nobody", 10, None, carla, batches=batches, clock=clock)) == []


def test_for_a_caller_another_one_has_no_batches(batches: InMemoryBatchRepository, clock: FakeClock) -> None:
    assert ids(list_batches("ann", 10, None, ANN, batches=batches, clock=clock)) == [
        "batch_2",
        "batch_1",
        "batch_0",
    ]
    assert list_batches("bob", 10, None, ANN, batches=batches, clock=clock) == BatchList(batches=())
