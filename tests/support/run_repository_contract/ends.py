"""How runs end, and further attempts at them."""

import pytest

from support.run_records import FAILURE, NEXT_UPSTREAM_RUN, UPSTREAM_RUN, USAGE
from support.run_repository_contract.writes import (
    DONE,
    LATER,
    WRITES,
    Write,
    add_calls,
    add_failed_run,
    add_run,
)
from upcall.aws.run_repository import MESSAGE_PART_BYTES
from upcall.domain.errors import RunAlreadyEnded, RunNotRetryable
from upcall.domain.failure import Failure
from upcall.domain.status import Status
from upcall.domain.upstream_run import Message
from upcall.domain.usage import NO_USAGE
from upcall.use_cases.interfaces import RunRepository

INCOMPLETE = Failure(status="incomplete", code="max_output_tokens", message="It was too long.")


class EndContract:
    @pytest.mark.parametrize(
        "size", [0, 1, *(MESSAGE_PART_BYTES + n for n in (-1, 0, 1)), 3 * MESSAGE_PART_BYTES]
    )
    def test_a_message_of_any_size_is_returned_whole(self, repository: RunRepository, size: int) -> None:
        """Of characters of one, two and four bytes, at every offset to where a part may end."""
        run = add_run(repository)
        text = ("ä😀x" * (size // 7 + 1)).encode()[:size].decode(errors="ignore")
        ended = repository.complete_run(run, Message(text=text, usage=USAGE), LATER)

        assert (ended.status, ended.usage, ended.ended_at) == ("completed", USAGE, LATER)
        assert ended == repository.get_run(run.run_id)
        assert repository.get_message(ended) == text

    def test_all_parts_of_a_message_together_are_the_message(self, repository: RunRepository) -> None:
        text = "ä" * MESSAGE_PART_BYTES
        run = add_run(repository)
        ended = repository.complete_run(run, Message(text=text), LATER)
        parts = [repository.get_message_part(ended, number) for number in range(ended.message_parts)]

        assert "".join(part or "" for part in parts) == text
        assert len(parts) > 1
        assert repository.get_message_part(ended, len(parts)) is None
        assert repository.get_message_part(run, 0) is None

    def test_only_a_completed_run_has_a_message(self, repository: RunRepository) -> None:
        assert repository.get_message(add_run(repository)) is None
        assert repository.get_message(add_failed_run(repository)) is None

    @pytest.mark.parametrize("size", [1, MESSAGE_PART_BYTES, 2 * MESSAGE_PART_BYTES + 1])
    def test_an_incomplete_run_keeps_the_part_of_its_message_that_there_is(
        self, repository: RunRepository, size: int
    ) -> None:
        text = "x" * size
        ended = repository.record_failure(add_run(repository), INCOMPLETE, USAGE, LATER, text)

        assert (ended.status, ended.failure) == ("incomplete", INCOMPLETE)
        assert ended == repository.get_run(ended.run_id)
        assert repository.get_message(ended) == text

    def test_an_incomplete_run_without_text_has_no_message(self, repository: RunRepository) -> None:
        ended = repository.record_failure(add_run(repository), INCOMPLETE, USAGE, LATER, "")

        assert repository.get_message(ended) is None

    def test_another_attempt_begins_without_the_partial_message_of_the_first(
        self, repository: RunRepository
    ) -> None:
        ended = repository.record_failure(add_run(repository), INCOMPLETE, USAGE, LATER, "Once upon")
        reopened = repository.reopen_run(ended, None)
        assert repository.get_message(reopened) is None

        failed = repository.record_failure(reopened, FAILURE, USAGE, LATER)
        assert repository.get_message(failed) is None

    def test_another_attempt_replaces_the_partial_message_of_the_first(
        self, repository: RunRepository
    ) -> None:
        text = "x" * (2 * MESSAGE_PART_BYTES)
        ended = repository.record_failure(add_run(repository), INCOMPLETE, USAGE, LATER, text)
        completed = repository.complete_run(repository.reopen_run(ended, None), DONE, LATER)

        assert repository.get_message(completed) == "Done."

    @pytest.mark.parametrize("status", ["failed", "cancelled", "expired", "incomplete"])
    def test_a_failure_is_recorded_with_its_reason(self, repository: RunRepository, status: Status) -> None:
        failure = Failure.model_validate({"status": status, "code": "late", "message": "Too late."})
        ended = repository.record_failure(add_run(repository), failure, USAGE, LATER)

        assert (ended.status, ended.failure) == (status, failure)
        assert (ended.usage, ended.ended_at) == (USAGE, LATER)
        assert ended == repository.get_run(ended.run_id)

    def test_the_tokens_of_the_last_turn_are_added(self, repository: RunRepository) -> None:
        run = add_calls(repository, add_run(repository), 1)

        assert repository.complete_run(run, DONE, LATER).usage.total_tokens == 2 * USAGE.total_tokens

    @pytest.mark.parametrize("end", ["complete_run", "record_failure"])
    @pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
    def test_a_terminal_status_is_written_once(
        self, repository: RunRepository, end: str, write: Write
    ) -> None:
        run = add_run(repository)
        WRITES[end](repository, run)
        ended = repository.get_run(run.run_id)

        with pytest.raises(RunAlreadyEnded):
            write(repository, run)
        assert repository.get_run(run.run_id) == ended

    def test_a_late_message_does_not_give_a_failed_run_one(self, repository: RunRepository) -> None:
        run = add_run(repository)
        ended = repository.record_failure(run, FAILURE, NO_USAGE, LATER)

        with pytest.raises(RunAlreadyEnded):
            repository.complete_run(run, DONE, LATER)
        assert repository.get_message(ended) is None

    def test_a_published_event_is_marked(self, repository: RunRepository) -> None:
        ended = add_failed_run(repository)
        assert not ended.event_published
        repository.mark_event_published(ended)

        assert repository.get_run(ended.run_id) == ended.model_copy(update={"event_published": True})

    def test_a_reopened_run_is_queued_and_keeps_its_ledger_and_counters(
        self, repository: RunRepository
    ) -> None:
        run = add_run(repository)
        repository.record_intent(run, UPSTREAM_RUN)
        run = add_calls(repository, run, 2)
        ended = repository.record_failure(run, FAILURE, USAGE, LATER)
        repository.mark_event_published(ended)

        reopened = repository.reopen_run(repository.get_run(run.run_id), NEXT_UPSTREAM_RUN)

        assert reopened == repository.get_run(run.run_id)
        assert (reopened.status, reopened.attempt) == ("queued", 2)
        assert reopened.previous_upstream_run == NEXT_UPSTREAM_RUN
        assert (reopened.intent, reopened.upstream_run) == (None, None)
        assert (reopened.failure, reopened.ended_at, reopened.event_published) == (None, None, False)
        assert (reopened.round, reopened.tool_calls, reopened.usage) == (1, 2, ended.usage)
        assert len(repository.get_ledger(run.run_id)) == 2

    def test_a_run_is_reopened_once_for_each_attempt(self, repository: RunRepository) -> None:
        ended = add_failed_run(repository)
        repository.reopen_run(ended, None)

        with pytest.raises(RunNotRetryable, match="is being retried already"):
            repository.reopen_run(ended, None)
        assert repository.get_run(ended.run_id).attempt == 2

    def test_a_run_that_has_ended_otherwise_meanwhile_is_not_reopened(
        self, repository: RunRepository
    ) -> None:
        """The record that was passed in is older than the attempt that completed the run."""
        ended = add_failed_run(repository)
        repository.complete_run(repository.reopen_run(ended, None), DONE, LATER)

        with pytest.raises(RunNotRetryable):
            repository.reopen_run(ended, None)
        assert repository.get_run(ended.run_id).status == "completed"

    @pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
    def test_a_late_write_of_an_earlier_attempt_changes_nothing(
        self, repository: RunRepository, write: Write
    ) -> None:
        first_attempt = add_run(repository)
        ended = repository.record_failure(first_attempt, FAILURE, NO_USAGE, LATER)
        reopened = repository.reopen_run(ended, None)

        with pytest.raises(RunAlreadyEnded):
            write(repository, first_attempt)
        assert repository.get_run(reopened.run_id) == reopened

    def test_a_late_message_of_an_earlier_attempt_does_not_replace_the_saved_one(
        self, repository: RunRepository
    ) -> None:
        first_attempt = add_run(repository)
        ended = repository.record_failure(first_attempt, FAILURE, NO_USAGE, LATER)
        completed = repository.complete_run(repository.reopen_run(ended, None), DONE, LATER)

        with pytest.raises(RunAlreadyEnded):
            repository.complete_run(first_attempt, Message(text="Outdated."), LATER)
        assert repository.get_message(completed) == "Done."

    def test_an_event_of_an_earlier_attempt_does_not_count_for_the_next_one(
        self, repository: RunRepository
    ) -> None:
        ended = add_failed_run(repository)
        repository.reopen_run(ended, None)
        repository.mark_event_published(ended)

        assert not repository.get_run(ended.run_id).event_published
