from datetime import timedelta

import pytest
from support.fakes.clock import START
from support.run_records import CALL, FAILURE, UPSTREAM_RUN, USAGE

from upcall.domain.limits import Counters, Limits
from upcall.domain.status import WORKING_STATUSES, Status
from upcall.domain.upstream_errors import NO_ERRORS, UpstreamErrors
from upcall.domain.upstream_run import UpstreamSnapshot
from upcall.domain.waiting_task import WaitingTask

TASK = WaitingTask(
    run_id="run_1",
    task_token="token",  # noqa: S106  # of a test
    upstream_run=UPSTREAM_RUN,
    limits=Limits(),
    counters=Counters(seconds=10, rounds=2, tool_calls=3, tokens=4),
    since=START,
)
FAILED_TURN = UpstreamErrors(last="Slow down.", failed_turns=1)


def test_only_the_seconds_go_on_while_a_task_waits() -> None:
    later = TASK.counters_at(START + timedelta(seconds=30.5))

    assert later == TASK.counters.model_copy(update={"seconds": 40.5})


@pytest.mark.parametrize("status", WORKING_STATUSES)
def test_a_run_that_is_at_work_is_unchanged(status: Status) -> None:
    assert TASK.is_unchanged(UpstreamSnapshot(status=status, pause_seconds=2))


@pytest.mark.parametrize(
    "snapshot",
    [
        UpstreamSnapshot(status="completed"),
        UpstreamSnapshot.requires_action((CALL,), USAGE),
        UpstreamSnapshot.failed(FAILURE, USAGE),
        UpstreamSnapshot.stopped(FAILURE),
    ],
    ids=lambda snapshot: snapshot.status,
)
def test_any_other_run_has_changed(snapshot: UpstreamSnapshot) -> None:
    assert not TASK.is_unchanged(snapshot)


@pytest.mark.parametrize("errors", [UpstreamErrors(count=1, last="503"), UpstreamErrors(last="429")])
def test_a_run_that_was_not_seen_may_have_changed(errors: UpstreamErrors) -> None:
    assert not TASK.is_unchanged(UpstreamSnapshot(status="in_progress", errors=errors))


@pytest.mark.parametrize(
    ("before", "after"),
    [(UpstreamErrors(count=2, last="503"), NO_ERRORS), (FAILED_TURN, FAILED_TURN)],
    ids=["errors of requests", "a turn that failed"],
)
def test_errors_from_before_the_look_do_not_change_a_run(
    before: UpstreamErrors, after: UpstreamErrors
) -> None:
    task = TASK.model_copy(update={"counters": Counters(errors=before)})

    assert task.is_unchanged(UpstreamSnapshot(status="in_progress", errors=after))


def test_the_output_is_the_snapshot_as_json_and_what_the_task_returns_besides() -> None:
    snapshot = UpstreamSnapshot.requires_action((CALL,), USAGE)
    task = TASK.model_copy(update={"result": {"updates": "pushed", "tools": ["fetch"]}})

    assert task.output(snapshot) == {
        **snapshot.model_dump(mode="json"),
        "updates": "pushed",
        "tools": ["fetch"],
    }
