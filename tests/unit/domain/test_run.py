from datetime import UTC, datetime, timedelta

import pytest
from support.run_records import UPSTREAM_RUN, new_run

from upcall.domain.run import is_run_id, run_id_prefix


def test_a_new_run_is_queued_and_has_used_nothing() -> None:
    run = new_run()

    assert (run.status, run.round, run.usage.total_tokens, run.ended) == ("queued", 0, 0, False)


def test_run_ids_sort_by_time_and_are_unique() -> None:
    run_ids = [new_run(created_at=datetime.now(UTC)).run_id for _ in range(200)]

    assert len(set(run_ids)) == 200
    assert [run_id[:16] for run_id in run_ids] == sorted(run_id[:16] for run_id in run_ids)
    assert {len(run_id) for run_id in run_ids} == {32}
    assert all(is_run_id(run_id) for run_id in run_ids)


def test_runs_of_the_same_millisecond_differ() -> None:
    first, second = new_run(), new_run()

    assert first.created_at == second.created_at
    assert first.run_id != second.run_id


def test_a_prefix_sorts_before_the_ids_of_its_millisecond_and_after_earlier_ones() -> None:
    run = new_run()
    earlier = new_run(created_at=run.created_at - timedelta(milliseconds=1))

    assert earlier.run_id < run_id_prefix(run.created_at) < run.run_id


@pytest.mark.parametrize("text", ["", "run_", "run_" + "0" * 27, "run_" + "G" * 28, "run_" + "0" * 28 + "\n"])
def test_other_texts_are_not_run_ids(text: str) -> None:
    assert not is_run_id(text)


def test_a_run_continues_the_conversation_of_the_previous_run() -> None:
    previous = new_run().model_copy(update={"upstream_run": UPSTREAM_RUN})
    run = new_run(previous=previous)

    assert (run.previous_run_id, run.previous_upstream_run) == (previous.run_id, UPSTREAM_RUN)


def test_the_execution_bears_the_attempt_from_the_second_on() -> None:
    run = new_run()

    assert run.execution_name == run.run_id
    assert run.model_copy(update={"attempt": 2}).execution_name == f"{run.run_id}-2"


def test_a_prompt_is_one_item_of_the_user() -> None:
    (item,) = new_run(prompt="Go.").items

    assert (item.role, item.content) == ("user", "Go.")


def test_the_last_item_is_what_the_run_answers() -> None:
    items = [{"role": "user", "content": "One?"}, {"role": "user", "content": "Two?"}]

    assert new_run(prompt=None, input=items).last_input == "Two?"
