"""Calls that wait for an answer from outside."""

import pytest

from support.fakes.clock import START
from support.open_calls import REFUND, approval, open_call, output
from support.run_records import FAILURE, NEXT_UPSTREAM_RUN, UPSTREAM_RUN, USAGE, new_run
from upcall.domain.errors import RunAlreadyEnded
from upcall.domain.run import Run
from upcall.domain.usage import NO_USAGE
from upcall.use_cases.interfaces import RunRepository


class OpenCallContract:
    @pytest.fixture
    def run(self, repository: RunRepository) -> Run:
        """A run that the model works on."""
        added = repository.add_run(new_run())
        repository.record_creation(added, UPSTREAM_RUN, "polled")
        return repository.get_run(added.run_id)

    def test_a_call_that_waits_is_shown_by_the_record(self, repository: RunRepository, run: Run) -> None:
        opened = repository.open_call(run, open_call())

        assert opened == open_call()
        changed = repository.get_run(run.run_id)
        assert changed.status == "requires_action"
        assert changed.waiting_calls == {"approval 1-1"}
        assert repository.get_open_call(run, "1-1") == open_call()

    def test_calls_are_listed_by_round_and_position(self, repository: RunRepository, run: Run) -> None:
        calls = [open_call(position=position) for position in (10, 9, 1)]
        for call in calls:
            repository.open_call(run, call)

        assert repository.list_open_calls(run) == [calls[2], calls[1], calls[0]]
        assert len(repository.get_run(run.run_id).waiting_calls) == 3

    def test_a_call_that_waits_already_keeps_its_times_and_gets_the_new_token(
        self, repository: RunRepository, run: Run
    ) -> None:
        first = repository.open_call(run, open_call())
        repository.mark_call_published(run, first)
        later = open_call(task_token="token 2", since=first.until)  # noqa: S106  # of a test

        again = repository.open_call(run, later)

        expected = first.model_copy(update={"task_token": "token 2", "event_published": True})
        assert again == expected
        assert repository.get_open_call(run, "1-1") == expected

    @pytest.mark.parametrize("answer", [approval(), output("Grüße 😀")], ids=["decision", "output"])
    def test_an_answer_is_kept_with_the_newest_token(
        self, repository: RunRepository, run: Run, answer: object
    ) -> None:
        first = repository.open_call(run, open_call())
        repository.open_call(run, open_call(task_token="token 2"))  # noqa: S106  # of a test

        answered = repository.answer_call(run, first, answer)  # type: ignore[arg-type]

        assert (answered.answer, answered.task_token) == (answer, "token 2")
        assert repository.get_open_call(run, "1-1") == answered
        assert repository.get_run(run.run_id).waiting_calls == {"approval 1-1"}

    def test_the_first_answer_holds(self, repository: RunRepository, run: Run) -> None:
        call = repository.open_call(run, open_call())
        repository.answer_call(run, call, approval())

        assert repository.answer_call(run, call, approval(decision="deny")).answer == approval()

    def test_the_run_waits_until_all_calls_are_closed(self, repository: RunRepository, run: Run) -> None:
        first, second = (repository.open_call(run, open_call(position=number)) for number in (1, 2))
        seen = []
        for call in (first, second):
            repository.close_call(run, call)
            changed = repository.get_run(run.run_id)
            seen.append((changed.status, changed.waiting_calls))

        assert seen == [("requires_action", {"approval 1-2"}), ("in_progress", frozenset())]

    def test_a_call_that_has_its_answer_is_not_opened_again(
        self, repository: RunRepository, run: Run
    ) -> None:
        call = repository.open_call(run, open_call())
        repository.answer_call(run, call, approval())

        again = repository.open_call(run, open_call(task_token="token 2"))  # noqa: S106  # of a test

        assert again.answer == approval()
        assert repository.get_open_call(run, "1-1") == again

    def test_no_other_call_is_found(self, repository: RunRepository, run: Run) -> None:
        repository.open_call(run, open_call())

        for call_id in ("1-2", "2-1", "", "1", "01-1", "1-1-1", "1-1#", "x-y", "-1", "1-", "99999-1"):
            assert repository.get_open_call(run, call_id) is None, call_id

    @pytest.mark.parametrize("end", ["fail", "round", "attempt"])
    def test_a_run_that_ends_or_moves_on_waits_for_nothing(
        self, repository: RunRepository, run: Run, end: str
    ) -> None:
        call = repository.open_call(run, open_call())
        if end == "round":
            repository.record_round(run, NEXT_UPSTREAM_RUN, [], USAGE)
        else:
            ended = repository.record_failure(run, FAILURE, NO_USAGE, START)
            if end == "attempt":
                repository.reopen_run(ended, None)

        changed = repository.get_run(run.run_id)
        assert changed.waiting_calls == frozenset()
        repository.close_call(run, repository.answer_call(run, call, approval()))  # late
        assert repository.get_run(run.run_id) == changed

    def test_a_run_that_has_ended_opens_no_call(self, repository: RunRepository, run: Run) -> None:
        repository.record_failure(run, FAILURE, NO_USAGE, START)

        with pytest.raises(RunAlreadyEnded):
            repository.open_call(run, open_call())
        assert repository.list_open_calls(run) == []

    def test_another_attempt_has_calls_of_its_own(self, repository: RunRepository, run: Run) -> None:
        repository.open_call(run, open_call())
        ended = repository.record_failure(run, FAILURE, NO_USAGE, START)
        second = repository.reopen_run(ended, None)

        assert repository.list_open_calls(second) == []
        opened = repository.open_call(second, open_call(call=REFUND.model_copy(update={"arguments": "{}"})))
        assert repository.get_open_call(second, "1-1") == opened
        assert repository.get_open_call(run, "1-1") == open_call()
