"""Rounds and the ledger."""

import pytest

from support.run_records import CALL, NEXT_UPSTREAM_RUN, OUTPUT, UPSTREAM_RUN, USAGE
from support.run_repository_contract.writes import WRITES, Write, add_calls, add_run, list_call_pages
from upcall.aws.run_repository import MAX_CALL_PAGE_BYTES
from upcall.domain.errors import RunAlreadyEnded
from upcall.domain.tool_calls import ToolCall, ToolOutput
from upcall.domain.usage import Usage
from upcall.use_cases.interfaces import RunRepository


class LedgerContract:
    def test_a_round_is_added_to_the_ledger_and_counted(self, repository: RunRepository) -> None:
        run = add_run(repository)
        repository.record_round(run, NEXT_UPSTREAM_RUN, [CALL], [OUTPUT], USAGE)

        found = repository.get_run(run.run_id)
        assert (found.status, found.round, found.tool_calls) == ("in_progress", 1, 1)
        assert (found.upstream_run, found.usage) == (NEXT_UPSTREAM_RUN, USAGE)
        (entry,) = repository.get_ledger(run.run_id)
        assert (entry.round, entry.position, entry.call, entry.output) == (1, 1, CALL, OUTPUT)

    def test_rounds_add_up(self, repository: RunRepository) -> None:
        run = add_calls(repository, add_calls(repository, add_run(repository), 2), 3)

        assert (run.round, run.tool_calls) == (2, 5)
        assert run.usage == Usage(input_tokens=2, output_tokens=4, total_tokens=6)

    def test_the_same_round_is_not_counted_twice(self, repository: RunRepository) -> None:
        run = add_run(repository)
        repository.record_round(run, UPSTREAM_RUN, [CALL], [OUTPUT], USAGE)

        with pytest.raises(RunAlreadyEnded):
            repository.record_round(run, UPSTREAM_RUN, [CALL], [OUTPUT], USAGE)
        assert repository.get_run(run.run_id).usage == USAGE
        assert len(repository.get_ledger(run.run_id)) == 1

    @pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
    def test_a_run_that_has_moved_on_to_another_round_is_not_changed(
        self, repository: RunRepository, write: Write
    ) -> None:
        before = add_run(repository)
        after = add_calls(repository, before, 1)

        with pytest.raises(RunAlreadyEnded, match="has ended or moved on"):
            write(repository, before)
        assert repository.get_run(before.run_id) == after

    def test_a_ledger_is_empty_at_first(self, repository: RunRepository) -> None:
        run = add_run(repository)

        assert repository.get_ledger(run.run_id) == []
        assert repository.list_calls(run.run_id, 10).calls == ()

    def test_the_ledger_is_in_the_order_of_the_calls(self, repository: RunRepository) -> None:
        """Whatever the server calls them: ids of calls need not sort."""
        run = add_run(repository)
        for ids in (["b", "a", "c"], ["z", "y"]):
            calls = [ToolCall(call_id=call_id, name="fetch", arguments="{}") for call_id in ids]
            outputs = [ToolOutput(call_id=call_id, outcome="ok", output=call_id) for call_id in ids]
            repository.record_round(run, UPSTREAM_RUN, calls, outputs, USAGE)
            run = repository.get_run(run.run_id)

        ledger = repository.get_ledger(run.run_id)
        assert [(entry.round, entry.position, entry.call.call_id) for entry in ledger] == [
            (1, 1, "b"),
            (1, 2, "a"),
            (1, 3, "c"),
            (2, 1, "z"),
            (2, 2, "y"),
        ]

    def test_ids_of_calls_may_be_used_again_in_another_round(self, repository: RunRepository) -> None:
        run = add_run(repository)
        for _ in range(2):
            repository.record_round(run, UPSTREAM_RUN, [CALL], [OUTPUT], USAGE)
            run = repository.get_run(run.run_id)

        assert [entry.round for entry in repository.get_ledger(run.run_id)] == [1, 2]

    def test_more_than_nine_rounds_stay_in_order(self, repository: RunRepository) -> None:
        run = add_run(repository)
        for _ in range(11):
            run = add_calls(repository, run, 1)

        assert [entry.round for entry in repository.get_ledger(run.run_id)] == [*range(1, 12)]
        pages = list(list_call_pages(repository, run.run_id, limit=4))
        assert [call_id for page in pages for call_id in page] == [f"call_{n}_1" for n in range(1, 12)]

    @pytest.mark.parametrize("limit", [1, 2, 3, 100])
    def test_pages_of_calls_lead_through_the_whole_ledger(
        self, repository: RunRepository, limit: int
    ) -> None:
        run = add_run(repository)
        for _ in range(3):
            run = add_calls(repository, run, 3)

        pages = list(list_call_pages(repository, run.run_id, limit))
        assert max(map(len, pages)) == min(limit, 9)
        assert [call_id for page in pages for call_id in page] == [
            f"call_{number}_{n}" for number in (1, 2, 3) for n in (1, 2, 3)
        ]

    def test_a_page_of_calls_ends_where_its_outputs_are_too_large(self, repository: RunRepository) -> None:
        """Counted in bytes of UTF-8: each of these characters takes two."""
        run = add_run(repository)
        for _ in range(6):
            run = add_calls(repository, run, 3, output="ä" * 120_000)

        pages = [len(page) * 240_000 for page in list_call_pages(repository, run.run_id, limit=100) if page]
        assert sum(pages) == 18 * 240_000
        assert max(pages) == pages[0] < MAX_CALL_PAGE_BYTES + 240_000

    def test_two_runs_have_two_ledgers(self, repository: RunRepository) -> None:
        first, second = add_run(repository), add_run(repository)
        add_calls(repository, first, 2)

        assert len(repository.get_ledger(first.run_id)) == 2
        assert repository.get_ledger(second.run_id) == []
