import pytest
from support.fakes.run_repository import InMemoryRunRepository
from support.run_records import UPSTREAM_RUN, USAGE, answered_round, new_run

from upcall.domain.caller import Caller
from upcall.domain.errors import NotFound
from upcall.domain.run import Run
from upcall.domain.tool_calls import ToolCall
from upcall.use_cases.list_calls import list_calls

ANN, BOB = Caller("ann", one_tenant=False), Caller("bob", one_tenant=False)
CALLS = [ToolCall(call_id=f"call_{number}", name="fetch", arguments="{}") for number in (1, 2, 3)]


@pytest.fixture
def run(repository: InMemoryRunRepository) -> Run:
    """A run of ann's with three answered calls."""
    run = repository.add_run(new_run(owner="ann"))
    repository.record_round(run, UPSTREAM_RUN, answered_round(1, CALLS), USAGE)
    return run


def test_the_ledger_is_listed_in_pages(repository: InMemoryRunRepository, run: Run) -> None:
    first = list_calls(run.run_id, 2, None, ANN, repository=repository)
    second = list_calls(run.run_id, 2, first.next_cursor, ANN, repository=repository)

    assert [entry.call for entry in (*first.calls, *second.calls)] == CALLS
    assert (len(first.calls), second.next_cursor) == (2, None)


def test_a_run_without_calls_has_an_empty_ledger(repository: InMemoryRunRepository) -> None:
    run = repository.add_run(new_run(owner="ann"))

    assert list_calls(run.run_id, 2, None, ANN, repository=repository).calls == ()


def test_the_ledger_of_another_callers_run_is_not_found(repository: InMemoryRunRepository, run: Run) -> None:
    with pytest.raises(NotFound, match=f"there is no run '{run.run_id}'"):
        list_calls(run.run_id, 2, None, BOB, repository=repository)


def test_a_run_that_does_not_exist_has_no_ledger(repository: InMemoryRunRepository) -> None:
    with pytest.raises(NotFound, match="there is no run 'run_x'"):
        list_calls("run_x", 2, None, ANN, repository=repository)


def test_calls_with_the_same_id_in_several_rounds_are_all_listed(
    repository: InMemoryRunRepository, run: Run
) -> None:
    for number in (2, 3):
        run = repository.get_run(run.run_id)
        repository.record_round(run, UPSTREAM_RUN, answered_round(number, CALLS[:1]), USAGE)

    found: list[tuple[int, int]] = []
    cursor = None
    while True:
        page = list_calls(run.run_id, 2, cursor, ANN, repository=repository)
        found += [(entry.round, entry.position) for entry in page.calls]
        if (cursor := page.next_cursor) is None:
            break

    assert found == [(1, 1), (1, 2), (1, 3), (2, 1), (3, 1)]
