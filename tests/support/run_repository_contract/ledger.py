"""Rounds and the ledger."""

import pytest

from support.run_records import ANSWER, CALL, FAILURE, NEXT_UPSTREAM_RUN, UPSTREAM_RUN, USAGE, answered_round
from support.run_repository_contract.writes import (
    LATER,
    WRITES,
    Write,
    add_calls,
    add_run,
    list_call_pages,
    list_entry_pages,
)
from upcall.domain.errors import RunAlreadyEnded
from upcall.domain.tool_calls import ToolCall
from upcall.domain.usage import NO_USAGE, Usage
from upcall.domain.views import MAX_CALLS_BYTES
from upcall.use_cases.interfaces import RunRepository

OTHER_CALL = ToolCall(call_id="call_2", name="read_object", arguments="{}")


class LedgerContract:
    def test_a_round_is_added_to_the_ledger_and_counted(self, repository: RunRepository) -> None:
        run = add_run(repository)
        repository.record_round(run, NEXT_UPSTREAM_RUN, [ANSWER], USAGE)

        found = repository.get_run(run.run_id)
        assert (found.status, found.round, found.tool_calls) == ("in_progress", 1, 1)
        assert (found.upstream_run, found.usage) == (NEXT_UPSTREAM_RUN, USAGE)
        assert repository.get_ledger(run.run_id) == [ANSWER]

    def test_rounds_add_up(self, repository: RunRepository) -> None:
        run = add_calls(repository, add_calls(repository, add_run(repository), 2), 3)

        assert (run.round, run.tool_calls) == (2, 5)
        assert run.usage == Usage(input_tokens=2, output_tokens=4, total_tokens=6)

    def test_the_same_round_is_not_counted_twice(self, repository: RunRepository) -> None:
        run = add_run(repository)
        repository.record_round(run, UPSTREAM_RUN, [ANSWER], USAGE)

        with pytest.raises(RunAlreadyEnded):
            repository.record_round(run, UPSTREAM_RUN, [ANSWER], USAGE)
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
        for number, ids in enumerate((["b", "a", "c"], ["z", "y"]), start=1):
            calls = [ToolCall(call_id=call_id, name="fetch", arguments="{}") for call_id in ids]
            repository.record_round(run, UPSTREAM_RUN, answered_round(number, calls), USAGE)
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
        rounds = [answered_round(number, [CALL, OTHER_CALL], f"Answer {number}") for number in (1, 2, 3)]
        for answers in rounds:
            repository.record_round(run, UPSTREAM_RUN, answers, USAGE)
            run = repository.get_run(run.run_id)

        expected = [entry for answers in rounds for entry in answers]
        assert repository.get_ledger(run.run_id) == expected
        pages = list_entry_pages(repository, run.run_id, limit=1)
        assert [entry for page in pages for entry in page] == expected

    @pytest.mark.parametrize(
        "ids", [("same", "same"), ("", ""), ("a#0001", "a"), ("ä" * 1000, "\x00")], ids=repr
    )
    def test_calls_are_told_apart_by_round_and_position_whatever_their_ids_are(
        self, repository: RunRepository, ids: tuple[str, ...]
    ) -> None:
        run = add_run(repository)
        calls = [
            ToolCall(call_id=call_id, name="fetch", arguments=str(position))
            for position, call_id in enumerate(ids)
        ]
        answers = answered_round(1, calls)
        repository.record_round(run, UPSTREAM_RUN, answers, USAGE)

        assert repository.get_ledger(run.run_id) == answers
        first = repository.list_calls(run.run_id, 1)
        second = repository.list_calls(run.run_id, 1, first.next_cursor)
        assert [*first.calls, *second.calls] == answers

    def test_more_than_nine_calls_of_a_round_stay_in_order(self, repository: RunRepository) -> None:
        run = add_calls(repository, add_run(repository), 12)

        assert [entry.position for entry in repository.get_ledger(run.run_id)] == [*range(1, 13)]

    def test_the_calls_of_another_attempt_follow_those_of_the_first(self, repository: RunRepository) -> None:
        run = add_run(repository)
        repository.record_round(run, UPSTREAM_RUN, [ANSWER], USAGE)
        ended = repository.record_failure(repository.get_run(run.run_id), FAILURE, NO_USAGE, LATER)
        reopened = repository.reopen_run(ended, None)
        second = answered_round(2, [CALL], "Another answer")
        repository.record_round(reopened, UPSTREAM_RUN, second, USAGE)

        assert repository.get_ledger(run.run_id) == [ANSWER, *second]
        assert repository.get_run(run.run_id).tool_calls == 2

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
        """Counted as JSON in JSON, where each of these characters takes six bytes."""
        run = add_run(repository)
        for _ in range(6):
            run = add_calls(repository, run, 3, output="ä" * 120_000)

        pages = [len(page) for page in list_call_pages(repository, run.run_id, limit=100) if page]
        assert sum(pages) == 18
        assert max(pages) == pages[0] == MAX_CALLS_BYTES // 720_000 + 1

    def test_two_runs_have_two_ledgers(self, repository: RunRepository) -> None:
        first, second = add_run(repository), add_run(repository)
        add_calls(repository, first, 2)

        assert len(repository.get_ledger(first.run_id)) == 2
        assert repository.get_ledger(second.run_id) == []
