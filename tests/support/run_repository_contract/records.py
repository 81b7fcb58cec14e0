"""Records and idempotency keys."""

from datetime import timedelta

import pytest

from support.fakes.clock import START
from support.run_records import UPSTREAM_RUN, USAGE, new_run
from support.run_repository_contract.writes import WRITES, Write, add_run
from upcall.domain.errors import NotFound, RunAlreadyEnded
from upcall.domain.run import Updates
from upcall.domain.run_log import queued
from upcall.domain.run_request import InputItem, Reasoning, ResponseFormat
from upcall.use_cases.interfaces import RunRepository


class RecordContract:
    @pytest.mark.parametrize(
        "fields",
        [
            {"prompt": "Grüße 😀"},
            {"prompt": None, "input": (InputItem(role="user", content="Go."),)},
            {"metadata": {"ticket": "4711"}, "callback_url": "https://example.com/hook"},
            {"created_at": START + timedelta(microseconds=123_456)},
            {"instructions": "Be brief.", "temperature": 0.25, "reasoning": Reasoning(effort="low")},
            {"temperature": 0.0, "max_output_tokens": 1},
        ],
        ids=["a prompt", "an input", "optional fields", "microseconds", "options", "zero"],
    )
    def test_a_run_is_returned_as_it_was_added(
        self, repository: RunRepository, fields: dict[str, object]
    ) -> None:
        run = new_run(**fields)
        with_log = run.model_copy(update={"log": queued(run.created_at, attempt=1)})

        assert repository.add_run(run) == with_log
        assert repository.get_run(run.run_id) == with_log

    def test_a_response_format_may_hold_fractions(self, repository: RunRepository) -> None:
        schema = {"name": "share", "schema": {"type": "number", "maximum": 0.25}}
        response_format = ResponseFormat.model_validate({"type": "json_schema", "json_schema": schema})
        run = add_run(repository, response_format=response_format)

        assert repository.get_run(run.run_id).response_format == response_format

    def test_a_run_that_does_not_exist_is_not_found(self, repository: RunRepository) -> None:
        with pytest.raises(NotFound, match="there is no run 'run_x'"):
            repository.get_run("run_x")

    def test_adding_a_run_again_returns_the_record_that_exists(self, repository: RunRepository) -> None:
        run = add_run(repository)
        repository.record_creation(run, UPSTREAM_RUN, "polled")

        assert repository.add_run(run).upstream_run == UPSTREAM_RUN
        assert repository.get_run(run.run_id).upstream_run == UPSTREAM_RUN

    def test_an_intent_is_recorded_and_the_run_stays_queued(self, repository: RunRepository) -> None:
        run = add_run(repository)
        repository.record_intent(run, UPSTREAM_RUN)

        found = repository.get_run(run.run_id)
        assert (found.status, found.intent, found.upstream_run) == ("queued", UPSTREAM_RUN, None)

    def test_a_created_run_is_in_progress_with_its_upstream_ids(self, repository: RunRepository) -> None:
        run = add_run(repository)
        repository.record_creation(run, UPSTREAM_RUN, "polled")

        found = repository.get_run(run.run_id)
        assert (found.status, found.upstream_run) == ("in_progress", UPSTREAM_RUN)

    @pytest.mark.parametrize("updates", ["polled", "pushed"])
    def test_the_record_says_how_a_run_learns_of_changes(
        self, repository: RunRepository, updates: Updates
    ) -> None:
        run = add_run(repository)
        assert repository.get_run(run.run_id).updates is None

        repository.record_creation(run, UPSTREAM_RUN, updates, USAGE)

        found = repository.get_run(run.run_id)
        assert (found.updates, found.usage) == (updates, USAGE)

    @pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
    def test_a_run_that_was_never_added_cannot_be_changed(
        self, repository: RunRepository, write: Write
    ) -> None:
        with pytest.raises(RunAlreadyEnded):
            write(repository, new_run())

    def test_a_key_stands_for_the_run_that_claimed_it_first(self, repository: RunRepository) -> None:
        first, second = new_run(), new_run()

        assert repository.claim_idempotency_key("a key", first, "f1").run_id == first.run_id
        claim = repository.claim_idempotency_key("a key", second, "f2")
        assert (claim.run_id, claim.fingerprint) == (first.run_id, "f1")

    def test_another_key_stands_for_another_run(self, repository: RunRepository) -> None:
        first, second = new_run(), new_run()
        repository.claim_idempotency_key("a key", first, "f")

        assert repository.claim_idempotency_key("another key", second, "f").run_id == second.run_id

    @pytest.mark.parametrize(
        ("first", "second"),
        [(("ann", "a key"), ("bob", "a key")), (("ann smith", "key"), ("ann", "smith key"))],
        ids=["the same key", "the same characters in all"],
    )
    def test_keys_of_two_owners_are_two_keys(
        self, repository: RunRepository, first: tuple[str, str], second: tuple[str, str]
    ) -> None:
        for owner, key in (first, second):
            run = new_run(owner=owner)
            assert repository.claim_idempotency_key(key, run, "f").run_id == run.run_id
