"""The log of a run: each change appends its entries, once."""

import pytest

from support.open_calls import approval, open_call
from support.run_records import ANSWER, CALL, FAILURE, UPSTREAM_RUN, USAGE, new_run
from support.run_repository_contract.writes import DONE, LATER, add_failed_run
from upcall.domain.errors import RunAlreadyEnded
from upcall.domain.run import Run
from upcall.domain.run_log import MAX_PAUSES, EndedCall, RequestedCall
from upcall.use_cases.interfaces import RunRepository


def types(repository: RunRepository, run: Run) -> list[str]:
    """The types of the entries in the log of a run."""
    return [entry.type for entry in repository.get_run(run.run_id).log]


class LogContract:
    def test_a_whole_run_is_in_its_log(self, repository: RunRepository) -> None:
        run = repository.add_run(new_run())
        repository.record_creation(run, UPSTREAM_RUN, "polled")
        repository.record_requested_calls(run.run_id, 1, [CALL], 0)
        repository.record_round(repository.get_run(run.run_id), UPSTREAM_RUN, [ANSWER], USAGE)
        ended = repository.complete_run(repository.get_run(run.run_id), DONE, LATER)

        assert types(repository, run) == [
            "run.queued",
            "run.in_progress",
            "run.requires_action",
            "round.ended",
            "run.in_progress",
            "message.saved",
            "run.completed",
        ]
        _, _, requested, round_ended, _, message, end = ended.log
        assert requested.requested == (RequestedCall(CALL.name, "https://example.com/", len(CALL.arguments)),)
        size = len(ANSWER.output.output.encode())
        assert round_ended.ended == (EndedCall(CALL.name, "ok", None, 12, None, size),)
        assert (round_ended.round, round_ended.usage) == (1, USAGE)
        assert (message.characters, end.at, end.usage) == (len(DONE.text), LATER, USAGE + USAGE)

    def test_requested_calls_are_in_it_once(self, repository: RunRepository) -> None:
        run = repository.add_run(new_run())
        for _ in range(2):
            repository.record_requested_calls(run.run_id, 1, [CALL], 0)

        assert types(repository, run) == ["run.queued", "run.requires_action"]

    def test_a_pause_says_why_and_how_long(self, repository: RunRepository) -> None:
        run = repository.add_run(new_run())
        repository.record_pause(run.run_id, "503: Closed for lunch.", 0.3)

        _, pause = repository.get_run(run.run_id).log
        assert (pause.type, pause.reason, pause.seconds) == ("run.paused", "503: Closed for lunch.", 1)

    def test_only_so_many_pauses_are_in_it(self, repository: RunRepository) -> None:
        run = repository.add_run(new_run())
        for _ in range(MAX_PAUSES + 2):
            repository.record_pause(run.run_id, "x" * 1000, 1)
        repository.record_pause("run_2", "No such run.", 1)

        assert types(repository, run).count("run.paused") == MAX_PAUSES

    def test_late_requests_of_an_earlier_round_are_not_in_it(self, repository: RunRepository) -> None:
        run = repository.add_run(new_run())
        repository.record_round(run, UPSTREAM_RUN, [ANSWER], USAGE)
        before = types(repository, run)

        repository.record_requested_calls(run.run_id, 1, [CALL], 0)
        repository.record_requested_calls("run_2", 1, [CALL], 0)

        assert types(repository, run) == before

    def test_a_call_that_waits_and_its_answer_are_in_it_once(self, repository: RunRepository) -> None:
        run = repository.add_run(new_run())
        for _ in range(2):
            call = repository.open_call(run, open_call())
        answered = repository.answer_call(run, call, approval())
        for _ in range(2):
            repository.close_call(repository.get_run(run.run_id), answered)

        _, waiting, answer = repository.get_run(run.run_id).log
        assert (waiting.type, waiting.call, waiting.waits_for) == ("tool_call.waiting", "1-1", "approval")
        assert (answer.type, answer.call, answer.decision) == ("tool_call.answered", "1-1", "approve")

    def test_a_run_that_failed_and_is_retried_goes_on_in_the_same_log(
        self, repository: RunRepository
    ) -> None:
        run = add_failed_run(repository)
        repository.reopen_run(run, None, now=LATER)

        queued, failed, again = repository.get_run(run.run_id).log
        assert (queued.attempt, failed.type, failed.failure) == (1, "run.failed", FAILURE)
        assert (again.type, again.attempt, again.at) == ("run.queued", 2, LATER)

    def test_a_write_that_is_refused_leaves_no_entry(self, repository: RunRepository) -> None:
        run = repository.add_run(new_run())
        repository.record_failure(run, FAILURE, USAGE, LATER)
        before = types(repository, run)

        with pytest.raises(RunAlreadyEnded):
            repository.record_creation(run, UPSTREAM_RUN, "polled")
        repository.record_requested_calls(run.run_id, 1, [CALL], 0)

        assert types(repository, run) == before
