"""What every BatchRepository does.

Test modules subclass the contract and provide the fixture `batches`, which is empty at first.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from support.batch_records import BATCH_ID, CANCELLED_LINE, COMPLETED, FAILED, new_batch
from support.fakes.clock import START
from upcall.domain.batch import CANCELLED, Batch, BatchCounts, BatchLine, BatchPage, LineEnd
from upcall.domain.batch_view import MAX_LIST_BYTES
from upcall.domain.errors import NotFound
from upcall.domain.failure import Failure
from upcall.domain.usage import Usage
from upcall.use_cases.interfaces import BatchRepository

LATER = START + timedelta(minutes=1)
TOO_MANY = Failure(code="tolerated_failures", message="2 of 3 lines failed.")

CHANGES: dict[str, Callable[[BatchRepository, Batch], Batch]] = {
    "record_lines": lambda batches, batch: batches.record_lines(batch, 7, LATER),
    "stop_batch": lambda batches, batch: batches.stop_batch(batch, TOO_MANY),
    "cancel_batch": lambda batches, batch: batches.cancel_batch(batch, CANCELLED),
    "restart_batch": lambda batches, batch: batches.restart_batch(batch),
    "begin_results": lambda batches, batch: batches.begin_results(batch),
    "end_batch": lambda batches, batch: batches.end_batch(batch, "failed", 9, LATER),
}
"""Every method that changes an open batch."""


TOKEN = "t"  # noqa: S105


def line_of(number: int, token: str = TOKEN, **fields: object) -> BatchLine:
    values: dict[str, object] = {"line": number, "run_id": f"run_{number}", "task_token": token, **fields}
    return BatchLine.model_validate(values)


def add_numbered_batch(batches: BatchRepository, number: int, **fields: object) -> Batch:
    """A batch that was created so many seconds after START."""
    created_at = START + timedelta(seconds=number)
    return batches.add_batch(new_batch(**{"batch_id": f"batch_{number}", "created_at": created_at, **fields}))


def list_all_batches(batches: BatchRepository, owner: str | None, limit: int) -> list[BatchPage]:
    """Every page of a list."""
    pages = [batches.list_batches(owner=owner, limit=limit)]
    while cursor := pages[-1].next_cursor:
        pages.append(batches.list_batches(owner=owner, limit=limit, cursor=cursor))
    return pages


class BatchRepositoryContract:
    def test_a_batch_is_read_as_it_was_added(self, batches: BatchRepository) -> None:
        batch = new_batch(
            started_by="Ann",
            input_format="csv",
            prompt_template="Name {{city}}.",
            defaults={"temperature": 0.5, "limits": {"rounds": 3}, "metadata": {}},
            tolerated_failures=0.25,
            budget_usd=0.1,
            metadata={"a": ""},
            fingerprint="f",
        )

        assert batches.add_batch(batch) == batch
        assert batches.get_batch(BATCH_ID) == batch

    def test_a_batch_without_any_optional_field_is_read_as_it_was_added(
        self, batches: BatchRepository
    ) -> None:
        batches.add_batch(new_batch())

        assert batches.get_batch(BATCH_ID) == new_batch()

    def test_the_record_that_exists_already_stays(self, batches: BatchRepository) -> None:
        batches.add_batch(new_batch(fingerprint="first"))

        assert batches.add_batch(new_batch(fingerprint="second")).fingerprint == "first"
        assert batches.get_batch(BATCH_ID).fingerprint == "first"

    def test_a_batch_that_does_not_exist_is_not_found(self, batches: BatchRepository) -> None:
        with pytest.raises(NotFound, match="there is no batch 'batch_1'"):
            batches.get_batch(BATCH_ID)

    def test_batches_are_listed_newest_first_whatever_their_ids_are(self, batches: BatchRepository) -> None:
        """Ids that are made from an idempotency key do not sort by time."""
        for number, batch_id in enumerate(["batch_b", "batch_c", "batch_a"]):
            batches.add_batch(new_batch(batch_id=batch_id, created_at=START + timedelta(seconds=number)))

        page = batches.list_batches(owner="ann", limit=10)
        assert [batch.batch_id for batch, _ in page.batches] == ["batch_a", "batch_c", "batch_b"]
        assert page.next_cursor is None

    @pytest.mark.parametrize("limit", [1, 2, 5, 6, 7, 8])
    def test_pages_of_batches_lead_through_the_whole_list(self, batches: BatchRepository, limit: int) -> None:
        added = [add_numbered_batch(batches, number) for number in range(7)]
        add_numbered_batch(batches, 8, owner="bob")

        pages = list_all_batches(batches, "ann", limit)
        assert [batch for page in pages for batch, _ in page.batches] == added[::-1]
        assert len(pages) == -(-7 // limit), "the last page has no cursor, also if it is full"

    def test_a_list_is_that_of_one_owner_or_of_all(self, batches: BatchRepository) -> None:
        anns, bobs = add_numbered_batch(batches, 1), add_numbered_batch(batches, 2, owner="bob")

        def listed(owner: str | None) -> list[Batch]:
            return [batch for batch, _ in batches.list_batches(owner=owner, limit=10).batches]

        assert (listed("ann"), listed("bob"), listed("carla")) == ([anns], [bobs], [])
        assert listed(None) == [bobs, anns]

    def test_a_cursor_is_a_time_in_the_list_of_any_owner(self, batches: BatchRepository) -> None:
        owners = ("bob", "ann", "bob", "ann")
        old, anns, _, _ = (add_numbered_batch(batches, n, owner=owner) for n, owner in enumerate(owners))
        cursor = batches.list_batches(owner="bob", limit=1).next_cursor

        def listed(owner: str | None) -> list[Batch]:
            page = batches.list_batches(owner=owner, limit=10, cursor=cursor)
            return [batch for batch, _ in page.batches]

        assert (listed("bob"), listed("ann"), listed("carla")) == ([old], [anns], [])
        assert listed(None) == [anns, old]

    def test_a_batch_that_was_added_meanwhile_is_not_in_later_pages(self, batches: BatchRepository) -> None:
        old = [add_numbered_batch(batches, number) for number in range(3)]
        page = batches.list_batches(owner=None, limit=1)
        add_numbered_batch(batches, 4)

        rest = batches.list_batches(owner=None, limit=10, cursor=page.next_cursor)
        assert [batch for batch, _ in rest.batches] == old[1::-1]

    def test_a_list_shows_how_each_batch_and_its_lines_are_now(self, batches: BatchRepository) -> None:
        others = add_numbered_batch(batches, 2)
        batch = batches.record_lines(batches.add_batch(new_batch()), 3, LATER)
        batches.claim_line(batch, line_of(1))
        batches.end_line(BATCH_ID, 1, COMPLETED, START)

        page = batches.list_batches(owner="ann", limit=10)
        assert page.batches == (
            (others, BatchCounts(usage=Usage(usd=0))),
            (batch, batches.get_counts(BATCH_ID)),
        )
        assert page.batches[1][1].completed == 1

    def test_a_batch_that_is_added_again_is_listed_once(self, batches: BatchRepository) -> None:
        """The same request may come again later with the same idempotency key."""
        batch = batches.add_batch(new_batch())
        batches.add_batch(new_batch(created_at=LATER))

        assert [each for each, _ in batches.list_batches(owner="ann", limit=10).batches] == [batch]
        assert [each for each, _ in batches.list_batches(owner=None, limit=10).batches] == [batch]

    def test_a_page_ends_early_if_its_records_are_large(self, batches: BatchRepository) -> None:
        """The response of a function holds 6 MB, and the defaults of a batch may have 200 KB."""
        for number in range(25):
            add_numbered_batch(batches, number, defaults={"instructions": "x" * 190_000})

        pages = [len(page.batches) for page in list_all_batches(batches, "ann", 100)]
        assert sum(pages) == 25
        assert pages[0] == max(pages) == MAX_LIST_BYTES // 190_000 + 1

    def test_open_batches_are_listed_until_they_end_oldest_first(self, batches: BatchRepository) -> None:
        old, _, young = (add_numbered_batch(batches, number, owner=f"{number}") for number in range(3))
        ended = add_numbered_batch(batches, -1)
        batches.end_batch(ended, "failed", 0, LATER)
        batches.cancel_batch(old, CANCELLED)

        assert list(batches.list_open_batches(young.created_at)) == ["batch_0", "batch_1"]
        assert list(batches.list_open_batches(LATER)) == ["batch_0", "batch_1", "batch_2"]

    def test_lines_are_recorded_once(self, batches: BatchRepository) -> None:
        batch = batches.add_batch(new_batch())

        recorded = batches.record_lines(batch, 3, LATER)
        assert (recorded.status, recorded.lines, recorded.started_at) == ("in_progress", 3, LATER)
        assert batches.record_lines(batch, 4, START) == recorded == batches.get_batch(BATCH_ID)

    def test_a_batch_that_is_cancelled_while_it_is_prepared_stays_cancelling(
        self, batches: BatchRepository
    ) -> None:
        batch = batches.add_batch(new_batch())
        cancelling = batches.cancel_batch(batch, CANCELLED)

        assert batches.record_lines(batch, 3, LATER) == cancelling

    def test_the_first_reason_for_which_a_batch_stops_holds(self, batches: BatchRepository) -> None:
        batch = batches.add_batch(new_batch())
        other = Failure(code="budget_usd", message="Spent.")

        assert batches.stop_batch(batch, TOO_MANY).failure == TOO_MANY
        assert batches.stop_batch(batch, other).failure == TOO_MANY
        assert batches.get_batch(BATCH_ID).status == "validating"

    def test_a_batch_is_cancelled_once_and_gets_one_more_execution(self, batches: BatchRepository) -> None:
        batch = batches.record_lines(batches.add_batch(new_batch()), 3, LATER)
        batches.stop_batch(batch, TOO_MANY)

        cancelling = batches.cancel_batch(batch, CANCELLED)
        assert (cancelling.status, cancelling.failure) == ("cancelling", CANCELLED)
        assert (cancelling.attempt, cancelling.execution_name) == (2, f"{BATCH_ID}-2")
        assert batches.cancel_batch(batch, CANCELLED) == cancelling
        assert batches.cancel_batch(cancelling, CANCELLED) == cancelling

    def test_a_batch_that_is_restarted_twice_at_once_gets_one_more_execution(
        self, batches: BatchRepository
    ) -> None:
        batch = batches.add_batch(new_batch())

        assert batches.restart_batch(batch).attempt == 2
        assert batches.restart_batch(batch).attempt == 2
        assert batches.get_batch(BATCH_ID).status == "validating"

    def test_results_of_a_cancelling_batch_leave_it_cancelling(self, batches: BatchRepository) -> None:
        batch = batches.add_batch(new_batch())
        assert batches.begin_results(batch).status == "finalizing"

        batches.cancel_batch(batch, CANCELLED)
        assert batches.begin_results(batch).status == "cancelling"

    @pytest.mark.parametrize("change", CHANGES)
    @pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
    def test_nothing_changes_a_batch_that_has_ended(
        self, batches: BatchRepository, change: str, status: str
    ) -> None:
        batch = batches.add_batch(new_batch())
        ended = batches.end_batch(batch, status, 2, LATER)  # type: ignore[arg-type]
        assert (ended.status, ended.parts, ended.ended_at) == (status, 2, LATER)

        assert CHANGES[change](batches, batch) == ended
        assert batches.get_batch(BATCH_ID) == ended

    def test_a_line_is_claimed_once_and_keeps_the_newest_token(self, batches: BatchRepository) -> None:
        batch = batches.add_batch(new_batch())
        first = line_of(1, "first", custom_id="a")

        assert batches.claim_line(batch, first) == first
        again = batches.claim_line(batch, line_of(1, "second", run_id="run_other", custom_id="b"))

        assert again == line_of(1, "second", custom_id="a")
        assert list(batches.list_lines(BATCH_ID, 1, 1)) == [again]

    def test_an_earlier_attempt_does_not_replace_the_token_of_a_later_one(
        self, batches: BatchRepository
    ) -> None:
        first = batches.add_batch(new_batch())
        second = batches.restart_batch(first)
        batches.claim_line(first, line_of(1, "first"))
        batches.claim_line(second, line_of(1, "second"))

        assert batches.claim_line(first, line_of(1, "late")) == line_of(1, "second")
        assert batches.claim_line(second, line_of(1, "third")) == line_of(1, "third")

    def test_a_claim_without_a_token_leaves_the_token_that_waits(self, batches: BatchRepository) -> None:
        """Otherwise the end of the run would complete no task."""
        batch = batches.add_batch(new_batch())
        batches.claim_line(batch, line_of(1))

        assert batches.claim_line(batch, BatchLine(line=1)) == line_of(1)
        assert batches.end_line(BATCH_ID, 1, COMPLETED, START).task_token == TOKEN

    def test_a_line_that_was_claimed_without_a_run_stays_without_one(self, batches: BatchRepository) -> None:
        batch = batches.add_batch(new_batch())
        batches.claim_line(batch, BatchLine(line=1))

        assert batches.claim_line(batch, line_of(1)).run_id is None

    def test_a_line_ends_once_and_its_end_stays(self, batches: BatchRepository) -> None:
        batch = batches.add_batch(new_batch())
        batches.claim_line(batch, line_of(1))

        ended = batches.end_line(BATCH_ID, 1, COMPLETED, START)
        assert ended == line_of(1, end=COMPLETED)
        assert batches.end_line(BATCH_ID, 1, FAILED, START) == ended
        assert batches.claim_line(batch, line_of(1, "late")) == ended
        assert batches.get_counts(BATCH_ID) == BatchCounts(completed=1, usage=COMPLETED.usage)

    def test_a_line_that_was_not_claimed_does_not_end(self, batches: BatchRepository) -> None:
        batches.add_batch(new_batch())

        with pytest.raises(NotFound, match="line 1 of batch batch_1 was not started"):
            batches.end_line(BATCH_ID, 1, COMPLETED, START)
        assert batches.get_counts(BATCH_ID).ended == 0

    def test_ends_in_many_threads_count_each_line_once(self, batches: BatchRepository) -> None:
        batch = batches.add_batch(new_batch())
        for number in range(1, 11):
            batches.claim_line(batch, line_of(number))

        def end(number: int) -> BatchLine:
            return batches.end_line(BATCH_ID, number, COMPLETED, START)

        with ThreadPoolExecutor(50) as pool:
            list(pool.map(end, [*range(1, 11)] * 5))

        counts = batches.get_counts(BATCH_ID)
        usage = Usage(input_tokens=10, output_tokens=20, total_tokens=30, usd=2.5)
        assert counts == BatchCounts(completed=10, usage=usage)

    def test_counts_tell_how_lines_ended_and_what_their_runs_used(self, batches: BatchRepository) -> None:
        batch = batches.add_batch(new_batch())
        ends = [COMPLETED, FAILED, CANCELLED_LINE, LineEnd(status="failed"), LineEnd(status="incomplete")]
        for number, end in enumerate(ends, start=20):
            batches.claim_line(batch, line_of(number))
            batches.end_line(BATCH_ID, number, end, START)

        counts = batches.get_counts(BATCH_ID)
        usage = Usage(input_tokens=1, output_tokens=2, total_tokens=8, usd=0.75)
        assert counts == BatchCounts(completed=1, failed=3, cancelled=1, usage=usage)
        assert counts.ended == 5

    def test_nothing_has_cost_nothing(self, batches: BatchRepository) -> None:
        batches.add_batch(new_batch())

        assert batches.get_counts(BATCH_ID) == BatchCounts(usage=Usage(usd=0))

    def test_sums_of_dollars_are_exact(self, batches: BatchRepository) -> None:
        batch = batches.add_batch(new_batch())
        for number in range(1, 4):
            batches.claim_line(batch, line_of(number))
            end = LineEnd(status="completed", usage=Usage(total_tokens=1, usd=1e-7))
            batches.end_line(BATCH_ID, number, end, START)

        assert batches.get_counts(BATCH_ID).usage.usd == pytest.approx(3e-7, rel=1e-12)

    def test_one_run_without_a_price_leaves_the_sum_without_one(self, batches: BatchRepository) -> None:
        batch = batches.add_batch(new_batch())
        for number, end in enumerate([COMPLETED, LineEnd(status="failed", usage=Usage(total_tokens=1))], 1):
            batches.claim_line(batch, line_of(number))
            batches.end_line(BATCH_ID, number, end, START)

        assert batches.get_counts(BATCH_ID).usage == Usage(
            input_tokens=1, output_tokens=2, total_tokens=4, usd=None
        )

    def test_a_line_that_used_no_tokens_has_a_price(self, batches: BatchRepository) -> None:
        batch = batches.add_batch(new_batch())
        batches.claim_line(batch, BatchLine(line=1))
        batches.end_line(BATCH_ID, 1, LineEnd(status="failed"), START)

        assert batches.get_counts(BATCH_ID).usage.usd == 0

    def test_lines_are_listed_in_the_order_of_their_numbers(self, batches: BatchRepository) -> None:
        batch = batches.add_batch(new_batch())
        for number in (1_000_000, 10, 9, 2):
            batches.claim_line(batch, line_of(number))

        assert [line.line for line in batches.list_lines(BATCH_ID, 1, 1_000_000)] == [2, 9, 10, 1_000_000]
        assert [line.line for line in batches.list_lines(BATCH_ID, 3, 10)] == [9, 10]
        assert list(batches.list_lines("batch_10", 1, 1_000_000)) == []

    def test_open_lines_are_those_whose_runs_have_not_ended(self, batches: BatchRepository) -> None:
        batch = batches.add_batch(new_batch())
        for number in (1, 2, 3):
            batches.claim_line(batch, line_of(number))
        batches.claim_line(batch, BatchLine(line=4))
        batches.end_line(BATCH_ID, 2, COMPLETED, START)

        found = [(line.line, line.run_id) for line in batches.list_open_lines(BATCH_ID)]
        assert found == [(1, "run_1"), (3, "run_3")]
        assert list(batches.list_open_lines("batch_2")) == []
