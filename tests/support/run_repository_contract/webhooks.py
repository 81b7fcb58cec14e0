"""Tasks that wait for webhooks, and messages that were received."""

from datetime import timedelta

from support.fakes.clock import START
from support.run_records import NEXT_UPSTREAM_RUN, UPSTREAM_RUN
from support.run_repository_contract.writes import LATER
from upcall.domain.limits import Counters, Limits
from upcall.domain.upstream_errors import UpstreamErrors
from upcall.domain.waiting_task import WaitingTask
from upcall.use_cases.interfaces import RunRepository

TASK = WaitingTask(
    run_id="run_1",
    task_token="token",  # noqa: S106  # of a test
    upstream_run=UPSTREAM_RUN,
    limits=Limits(seconds=60),
    counters=Counters(
        seconds=1.25, rounds=2, tokens=3, errors=UpstreamErrors(last="Grüße 😀", failed_turns=1)
    ),
    since=START + timedelta(microseconds=123_456),
    result={"tools": ["fetch"], "upstream_run": UPSTREAM_RUN.model_dump(), "share": 0.25},
)


class WebhookContract:
    def test_a_waiting_task_is_returned_as_it_was_added(self, repository: RunRepository) -> None:
        repository.add_waiting_task("resp_1", TASK)

        assert repository.get_waiting_task("resp_1") == TASK

    def test_no_task_waits_for_another_id(self, repository: RunRepository) -> None:
        repository.add_waiting_task("resp_1", TASK)

        assert repository.get_waiting_task("resp_2") is None

    def test_a_task_replaces_the_one_that_waited_for_the_same_id(self, repository: RunRepository) -> None:
        """A session has the same id in each round; a task that is tried again has another token."""
        again = TASK.model_copy(update={"task_token": "another", "upstream_run": NEXT_UPSTREAM_RUN})
        repository.add_waiting_task("sess_1", TASK)
        repository.add_waiting_task("sess_1", again)

        assert repository.get_waiting_task("sess_1") == again

    def test_a_message_is_known_once_it_is_recorded(self, repository: RunRepository) -> None:
        known = [repository.has_webhook("evt_1")]
        for time in (LATER, LATER + timedelta(hours=72)):
            repository.record_webhook("evt_1", time)
            known.append(repository.has_webhook("evt_1"))

        assert known == [False, True, True]

    def test_another_message_is_not_known(self, repository: RunRepository) -> None:
        repository.record_webhook("evt_1", LATER)

        assert not repository.has_webhook("evt_2")
