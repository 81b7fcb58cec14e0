"""What counts against a quota, and how often."""

import threading
from datetime import timedelta

import pytest

from support.fakes.clock import START
from support.run_records import FAILURE, USAGE, new_run
from support.run_repository_contract.writes import DONE, LATER
from upcall.domain.errors import QuotaExceeded, RunNotRetryable
from upcall.domain.quota import NO_QUOTA, Counted, Quota, Settled
from upcall.domain.usage import Usage
from upcall.use_cases.interfaces import RunRepository

TEN_A_DAY = Quota(runs=10)
TOMORROW = START + timedelta(days=1)


class QuotaContract:
    def test_a_run_without_a_quota_is_not_counted(self, repository: RunRepository) -> None:
        run = repository.add_run(new_run(), NO_QUOTA)

        ended = repository.complete_run(run, DONE, LATER)
        assert (ended.counted, ended.unsettled, repository.settle_run(ended)) == (None, None, ended)

    def test_a_run_with_a_quota_says_in_which_day_it_counts(self, repository: RunRepository) -> None:
        run = repository.add_run(new_run(), Quota(runs=1, concurrent=1))

        assert repository.get_run(run.run_id).counted == Counted(day="2026-01-02", concurrent=True)

    def test_no_more_runs_start_than_the_quota_allows(self, repository: RunRepository) -> None:
        for _ in range(10):
            repository.add_run(new_run(), TEN_A_DAY)
        refused = new_run()

        with pytest.raises(QuotaExceeded, match="used 10 of 10 runs of the day") as raised:
            repository.add_run(refused, TEN_A_DAY)

        assert (raised.value.quota, raised.value.limit) == ("runs", 10)
        assert raised.value.retry_after == 86_400 - (3 * 3600 + 4 * 60 + 5)
        assert repository.list_runs(owner=None, status=None, limit=20).runs[-1:]
        assert len(repository.list_runs(owner=None, status=None, limit=20).runs) == 10

    def test_the_next_day_has_room_again(self, repository: RunRepository) -> None:
        repository.add_run(new_run(), Quota(runs=1))

        assert repository.add_run(new_run(created_at=TOMORROW), Quota(runs=1))

    def test_another_caller_has_a_quota_of_its_own(self, repository: RunRepository) -> None:
        repository.add_run(new_run(owner="ann"), Quota(runs=1))

        assert repository.add_run(new_run(owner="bob"), Quota(runs=1))

    def test_a_run_that_is_added_again_counts_once(self, repository: RunRepository) -> None:
        run = new_run()
        first = repository.add_run(run, Quota(runs=1))

        assert repository.add_run(run, Quota(runs=1)) == first

    def test_a_hundred_starts_at_once_at_a_quota_of_ten_are_ten_runs(self, repository: RunRepository) -> None:
        refused: list[QuotaExceeded] = []
        ready = threading.Barrier(100)

        def start() -> None:
            run = new_run()
            ready.wait()
            try:
                repository.add_run(run, TEN_A_DAY)
            except QuotaExceeded as error:
                refused.append(error)

        threads = [threading.Thread(target=start) for _ in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(refused) == 90
        assert len(repository.list_runs(owner=None, status=None, limit=100).runs) == 10

    def test_a_run_that_has_ended_makes_room_for_another_at_once(self, repository: RunRepository) -> None:
        quota = Quota(concurrent=1)
        run = repository.add_run(new_run(), quota)
        with pytest.raises(QuotaExceeded, match="1 runs of this caller are open; 1 are allowed") as raised:
            repository.add_run(new_run(), quota)
        assert (raised.value.retry_after, raised.value.window) == (10, None)

        repository.settle_run(repository.complete_run(run, DONE, LATER))

        assert repository.add_run(new_run(), quota)
        with pytest.raises(QuotaExceeded):
            repository.add_run(new_run(), quota)

    def test_open_runs_count_across_midnight(self, repository: RunRepository) -> None:
        repository.add_run(new_run(), Quota(concurrent=1))

        with pytest.raises(QuotaExceeded):
            repository.add_run(new_run(created_at=TOMORROW), Quota(concurrent=1))

    def test_a_run_that_is_settled_again_and_again_counts_once(self, repository: RunRepository) -> None:
        quota = Quota(tokens=2 * USAGE.total_tokens, concurrent=2)
        run = repository.add_run(new_run(), quota)
        ended = repository.complete_run(run, DONE, LATER)

        settled = repository.settle_run(ended)
        assert settled.settled == Settled(attempt=1, tokens=USAGE.total_tokens)
        assert repository.settle_run(ended) == repository.settle_run(settled) == settled
        for _ in range(2):
            repository.add_run(new_run(), quota)
        with pytest.raises(QuotaExceeded, match="2 runs of this caller are open"):
            repository.add_run(new_run(), quota)

    def test_tokens_that_ended_runs_have_used_leave_no_room_for_another(
        self, repository: RunRepository
    ) -> None:
        quota = Quota(tokens=USAGE.total_tokens)
        run = repository.add_run(new_run(), quota)
        repository.add_run(new_run(), quota)  # what a run will use is not known before it ends
        repository.settle_run(repository.record_failure(run, FAILURE, USAGE, LATER))

        with pytest.raises(QuotaExceeded, match="used 3 of 3 tokens of the day"):
            repository.add_run(new_run(), quota)

    def test_threads_that_settle_a_run_at_once_count_it_once(self, repository: RunRepository) -> None:
        quota = Quota(concurrent=1, tokens=100)
        ended = repository.complete_run(repository.add_run(new_run(), quota), DONE, LATER)
        threads = [threading.Thread(target=repository.settle_run, args=[ended]) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        repository.add_run(new_run(), quota)
        with pytest.raises(QuotaExceeded):
            repository.add_run(new_run(), quota)

    def test_a_retry_counts_as_a_run_and_only_what_it_uses_itself(self, repository: RunRepository) -> None:
        quota = Quota(runs=2, tokens=1000, concurrent=1)
        run = repository.add_run(new_run(), quota)
        failed = repository.settle_run(repository.record_failure(run, FAILURE, USAGE, LATER))

        reopened = repository.reopen_run(failed, None, quota, LATER)
        more = Usage(total_tokens=10)
        again = repository.settle_run(repository.record_failure(reopened, FAILURE, more, LATER))

        assert again.settled == Settled(attempt=2, tokens=USAGE.total_tokens + 10)
        with pytest.raises(QuotaExceeded, match="2 of 2 runs"):
            repository.reopen_run(again, None, quota, LATER)
        assert repository.get_run(run.run_id) == again
        tokens = Quota(tokens=USAGE.total_tokens + 11, concurrent=1)
        assert repository.reopen_run(again, None, tokens, LATER).status == "queued"

    def test_of_two_retries_at_once_one_counts(self, repository: RunRepository) -> None:
        quota = Quota(runs=3)
        run = repository.add_run(new_run(), quota)
        failed = repository.settle_run(repository.record_failure(run, FAILURE, USAGE, LATER))
        repository.reopen_run(failed, None, quota, LATER)

        with pytest.raises(RunNotRetryable):
            repository.reopen_run(failed, None, quota, LATER)

        assert repository.add_run(new_run(), quota)
        with pytest.raises(QuotaExceeded):
            repository.add_run(new_run(), quota)

    def test_without_stops_and_settings_nothing_is_controlled(self, repository: RunRepository) -> None:
        controls = repository.get_controls("ann")

        assert (controls.stops, controls.setting, controls.quota(TEN_A_DAY)) == ((), None, TEN_A_DAY)
