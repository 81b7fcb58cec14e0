import pytest
from support.fakes.clock import START
from support.fakes.run_repository import InMemoryRunRepository
from support.run_records import FAILURE, USAGE, new_run

from upcall.domain.caller import Caller
from upcall.domain.run import Run
from upcall.domain.views import RunList
from upcall.use_cases.list_runs import list_runs

ANN = Caller("ann", one_tenant=False)


@pytest.fixture
def anns_runs(repository: InMemoryRunRepository) -> list[Run]:
    """A failed run of ann's and a queued one, newest first, among runs of bob's."""
    runs = []
    for seconds in range(2):
        created_at = START.replace(second=seconds)
        repository.add_run(new_run(owner="bob", created_at=created_at))
        runs.append(repository.add_run(new_run(owner="ann", created_at=created_at)))
    return [repository.record_failure(runs[1], FAILURE, USAGE, START), runs[0]]


def ids(page: RunList) -> list[str]:
    return [run.run_id for run in page.runs]


def test_a_list_holds_the_callers_runs_only(repository: InMemoryRunRepository, anns_runs: list[Run]) -> None:
    page = list_runs(None, None, 10, None, ANN, repository=repository)

    assert ids(page) == [run.run_id for run in anns_runs]
    assert page.next_cursor is None


def test_a_list_of_a_stack_of_one_tenant_holds_the_runs_of_all(
    repository: InMemoryRunRepository, anns_runs: list[Run]
) -> None:
    page = list_runs(None, None, 10, None, Caller("carla", one_tenant=True), repository=repository)

    assert len(page.runs) == 4


def test_a_list_may_be_of_one_status(repository: InMemoryRunRepository, anns_runs: list[Run]) -> None:
    assert ids(list_runs(None, "failed", 10, None, ANN, repository=repository)) == [anns_runs[0].run_id]


def test_the_cursor_of_a_page_leads_to_the_next_one(
    repository: InMemoryRunRepository, anns_runs: list[Run]
) -> None:
    first = list_runs(None, None, 1, None, ANN, repository=repository)
    second = list_runs(None, None, 1, first.next_cursor, ANN, repository=repository)

    assert ids(first) + ids(second) == [run.run_id for run in anns_runs]


def test_a_caller_without_runs_has_an_empty_list(repository: InMemoryRunRepository) -> None:
    assert list_runs(None, None, 10, None, ANN, repository=repository) == RunList(runs=())


def test_who_sees_the_runs_of_all_may_list_those_of_one_caller(
    repository: InMemoryRunRepository, anns_runs: list[Run]
) -> None:
    carla = Caller("carla", one_tenant=True)
    failed, queued = (run.run_id for run in anns_runs)

    first = list_runs("ann", None, 1, None, carla, repository=repository)
    second = list_runs("ann", None, 1, first.next_cursor, carla, repository=repository)

    assert ids(first) + ids(second) == [failed, queued]
    assert ids(list_runs("ann", "queued", 10, None, carla, repository=repository)) == [queued]
    assert ids(list_runs("nobody", None, 10, None, carla, repository=repository)) == []


def test_a_caller_may_name_itself(repository: InMemoryRunRepository, anns_runs: list[Run]) -> None:
    assert ids(list_runs("ann", None, 10, None, ANN, repository=repository)) == [
        run.run_id for run in anns_runs
    ]


def test_for_a_caller_another_one_has_no_runs_and_none_are_read(
    repository: InMemoryRunRepository, anns_runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The response and its time are the same, whether there is such a caller or not."""
    assert anns_runs
    monkeypatch.delattr(InMemoryRunRepository, "list_runs")

    for other in ("bob", "nobody"):
        assert list_runs(other, None, 10, None, ANN, repository=repository) == RunList(runs=())
