"""Lists of runs, and of open runs."""

from datetime import timedelta

import pytest

from support.fakes.clock import START
from support.run_records import FAILURE
from support.run_repository_contract.writes import (
    DONE,
    LATER,
    WRITES,
    add_calls,
    add_failed_run,
    add_run,
    list_all_runs,
)
from upcall.domain.run import Run
from upcall.domain.run_request import InputItem
from upcall.domain.status import Status
from upcall.domain.usage import NO_USAGE
from upcall.domain.views import RunSummary
from upcall.use_cases.interfaces import RunRepository


class ListContract:
    def test_runs_are_listed_newest_first(self, repository: RunRepository) -> None:
        runs = [add_run(repository, created_at=START + timedelta(seconds=n)) for n in range(5)]
        yesterday = add_run(repository, created_at=START - timedelta(days=1))

        assert [run.run_id for run in list_all_runs(repository)] == [
            *[run.run_id for run in reversed(runs)],
            yesterday.run_id,
        ]

    def test_a_list_shows_how_each_run_stands_now(self, repository: RunRepository) -> None:
        run = add_calls(repository, add_run(repository), 1)
        ended = repository.record_failure(run, FAILURE, NO_USAGE, LATER)

        (summary,) = list_all_runs(repository)
        assert summary == RunSummary(
            run_id=run.run_id,
            status="failed",
            excerpt="Go.",
            assistant=run.assistant,
            model=run.model,
            round=1,
            created_at=run.created_at,
            ended_at=ended.ended_at,
        )

    @pytest.mark.parametrize(
        ("fields", "excerpt"),
        [
            ({"prompt": "Two\n  lines"}, "Two lines"),
            ({"prompt": "ä" * 100}, "ä" * 80),
            (
                {
                    "prompt": None,
                    "input": (
                        InputItem(role="user", content="First"),
                        InputItem(role="assistant", content="Second"),
                        InputItem(role="user", content="Last"),
                    ),
                },
                "Last",
            ),
        ],
        ids=["white space", "a long prompt", "an input"],
    )
    def test_a_list_shows_the_beginning_of_what_a_run_answers(
        self, repository: RunRepository, fields: dict[str, object], excerpt: str
    ) -> None:
        add_run(repository, **fields)

        assert [run.excerpt for run in list_all_runs(repository)] == [excerpt]

    def test_a_list_of_one_status_holds_no_other(self, repository: RunRepository) -> None:
        runs = [add_run(repository, prompt=f"Number {number}.") for number in range(5)]
        repository.complete_run(runs[1], DONE, LATER)
        repository.record_failure(runs[3], FAILURE, NO_USAGE, LATER)

        assert [run.excerpt for run in list_all_runs(repository, status="completed")] == ["Number 1."]
        assert [run.status for run in list_all_runs(repository, status="failed")] == ["failed"]
        assert len(list_all_runs(repository, status="queued")) == 3
        assert list_all_runs(repository, status="expired") == []

    def test_a_list_of_one_owner_holds_no_run_of_another(self, repository: RunRepository) -> None:
        run = add_run(repository, owner="ann")
        add_run(repository, owner="bob")
        failed = add_failed_run(repository, owner="ann", created_at=LATER)

        assert [each.run_id for each in list_all_runs(repository, owner="ann")] == [
            failed.run_id,
            run.run_id,
        ]
        assert [each.run_id for each in list_all_runs(repository, owner="ann", status="queued")] == [
            run.run_id
        ]
        assert list_all_runs(repository, owner="carla") == []
        assert len(list_all_runs(repository, owner=None)) == 3

    @pytest.mark.parametrize("limit", [1, 2, 5, 6])
    def test_pages_of_runs_lead_through_the_whole_list(self, repository: RunRepository, limit: int) -> None:
        runs = [add_run(repository, created_at=START + timedelta(seconds=n)) for n in range(5)]
        for _ in range(3):
            add_run(repository, owner="another")

        first_page = repository.list_runs(owner=runs[0].owner, status=None, limit=limit)
        assert len(first_page.runs) == min(limit, 5)
        found = list_all_runs(repository, owner=runs[0].owner, limit=limit)
        assert [run.run_id for run in found] == [run.run_id for run in reversed(runs)]

    @pytest.mark.parametrize("limit", [1, 2, 3])
    def test_pages_of_one_owner_and_one_status_lead_through_all_such_runs(
        self, repository: RunRepository, limit: int
    ) -> None:
        wanted = []
        for n in range(3):
            at = START + timedelta(seconds=n)
            wanted.append(add_failed_run(repository, owner="ann", created_at=at).run_id)
            add_run(repository, owner="ann", created_at=at)
            add_failed_run(repository, owner="bob", created_at=at)

        found = list_all_runs(repository, owner="ann", status="failed", limit=limit)
        assert [run.run_id for run in found] == wanted[::-1]

    def test_a_cursor_is_a_time_in_the_list_of_any_owner_and_status(self, repository: RunRepository) -> None:
        """With another owner or status it leads to the runs of that list that are older than its page."""

        def add(seconds: int, owner: str) -> Run:
            return add_run(repository, owner=owner, created_at=START + timedelta(seconds=seconds))

        old, queued, failed = add(0, "bob"), add(1, "ann"), add(2, "ann")
        repository.record_failure(failed, FAILURE, NO_USAGE, LATER)
        add(3, "bob")
        add(4, "ann")
        cursor = repository.list_runs(owner="bob", status=None, limit=1).next_cursor

        def listed(owner: str | None, status: Status | None = None) -> list[str]:
            page = repository.list_runs(owner=owner, status=status, limit=10, cursor=cursor)
            return [run.run_id for run in page.runs]

        assert listed("bob") == [old.run_id]
        assert listed("ann") == [failed.run_id, queued.run_id]
        assert listed("ann", "failed") == [failed.run_id]
        assert listed(None) == [failed.run_id, queued.run_id, old.run_id]
        assert listed("carla") == []

    def test_a_run_that_was_added_meanwhile_is_not_in_later_pages(self, repository: RunRepository) -> None:
        for n in range(4):
            add_run(repository, created_at=START + timedelta(seconds=n))
        page = repository.list_runs(owner=None, status=None, limit=2)
        add_run(repository, created_at=LATER)

        rest = repository.list_runs(owner=None, status=None, limit=10, cursor=page.next_cursor)
        assert len(rest.runs) == 2
        assert {run.run_id for run in rest.runs}.isdisjoint(run.run_id for run in page.runs)

    def test_a_cursor_of_the_future_leads_to_the_newest_runs(self, repository: RunRepository) -> None:
        run = add_run(repository)

        page = repository.list_runs(owner=None, status=None, limit=10, cursor="run_0fffffffffff")
        assert [each.run_id for each in page.runs] == [run.run_id]

    def test_open_runs_are_listed_oldest_first_up_to_an_age(self, repository: RunRepository) -> None:
        ages = [timedelta(minutes=minutes) for minutes in (3, 20, 5, 10)]
        runs = {age: add_run(repository, created_at=START - age) for age in ages}

        found = list(repository.list_open_runs(created_before=START - timedelta(minutes=5)))
        assert found == [runs[timedelta(minutes=minutes)].run_id for minutes in (20, 10)]

    @pytest.mark.parametrize("write", ["record_intent", "record_creation", "record_round"])
    def test_a_run_that_is_worked_on_is_open(self, repository: RunRepository, write: str) -> None:
        run = add_run(repository)
        WRITES[write](repository, run)

        assert list(repository.list_open_runs(created_before=LATER)) == [run.run_id]

    @pytest.mark.parametrize("end", ["complete_run", "record_failure"])
    def test_a_run_that_has_ended_is_not_open(self, repository: RunRepository, end: str) -> None:
        run = add_run(repository)
        WRITES[end](repository, run)

        assert list(repository.list_open_runs(created_before=LATER)) == []

    def test_a_reopened_run_is_open_again(self, repository: RunRepository) -> None:
        ended = add_failed_run(repository)
        repository.reopen_run(ended, None)

        assert list(repository.list_open_runs(created_before=LATER)) == [ended.run_id]

    def test_ended_runs_stay_in_the_list_of_all_runs(self, repository: RunRepository) -> None:
        ended = add_failed_run(repository)

        assert [run.run_id for run in list_all_runs(repository)] == [ended.run_id]
