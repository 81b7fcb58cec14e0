from collections.abc import Callable

import pytest
from support.fakes.clock import START, FakeClock
from support.fakes.rate_limit_repository import InMemoryRateLimitRepository
from support.fakes.run_api import FakeRunApi
from support.fakes.run_repository import InMemoryRunRepository
from support.fakes.senders import InMemoryEndedExecutionQueue
from support.fakes.tools import FakeTools
from support.fakes.workflow import InMemoryWorkflow
from support.run_records import ANSWER, FAILURE, UPSTREAM_RUN, USAGE, new_run

from upcall.domain.caller import ANYBODY, Caller
from upcall.domain.errors import NotFound, RunAlreadyEnded, TransientError
from upcall.domain.execution import Execution
from upcall.domain.prices import PriceList
from upcall.domain.run import Run
from upcall.domain.upstream_errors import NO_ERRORS
from upcall.domain.upstream_run import Message
from upcall.run_apis.base import CANCEL_SECONDS
from upcall.use_cases.cancel_run import CANCELLED, MAX_TRIES, cancel_run
from upcall.use_cases.create_run import create_run

Cancel = Callable[..., Run]
"""Cancel a run, as ANYBODY if no caller is named."""


@pytest.fixture
def cancel(
    repository: InMemoryRunRepository,
    run_api: FakeRunApi,
    workflow: InMemoryWorkflow,
    ended_executions: InMemoryEndedExecutionQueue,
    clock: FakeClock,
) -> Cancel:
    def call(run_id: str, caller: str = ANYBODY) -> Run:
        return cancel_run(
            run_id,
            Caller(caller, one_tenant=False),
            repository=repository,
            get_run_api=run_api.get,
            workflow=workflow,
            ended_executions=ended_executions,
            clock=clock,
        )

    return call


@pytest.fixture
def run(repository: InMemoryRunRepository, workflow: InMemoryWorkflow) -> Run:
    """A run that is in progress."""
    run = repository.add_run(new_run())
    workflow.start_execution(run)
    repository.record_creation(run, UPSTREAM_RUN, "polled")
    return repository.get_run(run.run_id)


def test_a_run_is_cancelled_in_the_table_upstream_and_in_the_workflow(
    cancel: Cancel,
    run: Run,
    repository: InMemoryRunRepository,
    run_api: FakeRunApi,
    workflow: InMemoryWorkflow,
) -> None:
    cancelled = cancel(run.run_id)

    assert cancelled == repository.get_run(run.run_id)
    assert (cancelled.status, cancelled.failure, cancelled.ended_at) == ("cancelled", CANCELLED, START)
    assert CANCELLED.message == "Cancelled on request."
    assert run_api.cancelled == [UPSTREAM_RUN]
    assert workflow.describe_execution(run) == Execution(
        name=run.run_id, status="ABORTED", error="cancelled", cause="Cancelled on request."
    )


def test_the_end_of_the_execution_has_the_run_closed_and_nothing_else_is_enqueued(
    cancel: Cancel, run: Run, ended_executions: InMemoryEndedExecutionQueue
) -> None:
    cancel(run.run_id)

    assert ended_executions.executions == []


def test_a_run_without_an_execution_is_enqueued_to_be_closed(
    cancel: Cancel,
    repository: InMemoryRunRepository,
    run_api: FakeRunApi,
    ended_executions: InMemoryEndedExecutionQueue,
) -> None:
    """Its event is published by close_run, which no end of an execution calls here."""
    run = repository.add_run(new_run())

    cancel(run.run_id)

    assert run_api.cancelled == []
    assert ended_executions.executions == [
        Execution(name=run.run_id, status="ABORTED", error="cancelled", cause="Cancelled on request.")
    ]


def test_a_run_that_was_not_created_yet_is_never_created(
    cancel: Cancel, repository: InMemoryRunRepository, run_api: FakeRunApi, clock: FakeClock
) -> None:
    run = repository.add_run(new_run())
    cancel(run.run_id)

    with pytest.raises(RunAlreadyEnded):
        create_run(
            run.run_id,
            "token",
            1,
            NO_ERRORS,
            may_wait=False,
            webhooks=False,
            window_seconds=0,
            one_tenant=False,
            repository=repository,
            rate_limits=InMemoryRateLimitRepository(),
            get_run_api=run_api.get,
            tools=FakeTools(),
            prices=PriceList(),
            clock=clock,
        )
    assert run_api.created == []
    assert repository.get_run(run.run_id).upstream_run is None


def test_a_server_that_cannot_be_reached_does_not_keep_a_run_from_being_cancelled(
    cancel: Cancel, run: Run, run_api: FakeRunApi, workflow: InMemoryWorkflow
) -> None:
    run_api.fail_next("cancel", TransientError("no connection"))

    assert cancel(run.run_id).status == "cancelled"
    assert workflow.executions[run.run_id].status == "ABORTED"


def test_a_server_that_never_answers_delays_a_cancellation_by_seconds(
    cancel: Cancel, run: Run, run_api: FakeRunApi, workflow: InMemoryWorkflow, clock: FakeClock
) -> None:
    run_api.hang_next("cancel", clock)

    assert cancel(run.run_id).status == "cancelled"
    assert workflow.executions[run.run_id].status == "ABORTED"
    assert clock.monotonic() == pytest.approx(CANCEL_SECONDS, abs=0.1)


def test_a_run_that_is_completed_is_a_conflict_and_stays_as_it_is(
    cancel: Cancel, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    ended = repository.complete_run(run, Message(text="Done."), START)

    for _ in range(2):
        with pytest.raises(RunAlreadyEnded, match=f"run {run.run_id} has ended already: it is completed"):
            cancel(run.run_id)
    assert repository.get_run(run.run_id) == ended
    assert run_api.cancelled == []


def test_a_run_that_failed_otherwise_is_not_stopped_again(
    cancel: Cancel, run: Run, repository: InMemoryRunRepository, workflow: InMemoryWorkflow
) -> None:
    repository.record_failure(run, FAILURE, USAGE, START)

    with pytest.raises(RunAlreadyEnded, match="it is failed"):
        cancel(run.run_id)
    assert workflow.executions[run.run_id].status == "RUNNING"


def test_a_cancellation_that_died_on_the_way_is_completed_by_the_next_request(
    cancel: Cancel,
    run: Run,
    repository: InMemoryRunRepository,
    run_api: FakeRunApi,
    workflow: InMemoryWorkflow,
) -> None:
    repository.record_failure(run, CANCELLED, USAGE, START)

    with pytest.raises(RunAlreadyEnded, match="it is cancelled"):
        cancel(run.run_id)
    assert run_api.cancelled == [UPSTREAM_RUN]
    assert workflow.executions[run.run_id].status == "ABORTED"


def move_on(repository: InMemoryRunRepository, run_id: str) -> None:
    run = repository.get_run(run_id)
    answer = ANSWER.model_copy(update={"round": run.round + 1})
    repository.record_round(run, UPSTREAM_RUN, [answer], USAGE)


def let_it_change_before_it_is_written(
    repository: InMemoryRunRepository, monkeypatch: pytest.MonkeyPatch, changes: list[Callable[[], object]]
) -> None:
    """Change the record between the reading of it and the writing of its end, once for each change."""
    record_failure = repository.record_failure

    def changed(*arguments: object) -> Run:
        if changes:
            changes.pop(0)()
        return record_failure(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(repository, "record_failure", changed)


def test_a_run_that_moves_on_meanwhile_is_read_again_and_cancelled(
    cancel: Cancel, run: Run, repository: InMemoryRunRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = [lambda: move_on(repository, run.run_id)] * (MAX_TRIES - 1)
    let_it_change_before_it_is_written(repository, monkeypatch, [*changes])

    cancelled = cancel(run.run_id)

    assert (cancelled.status, cancelled.round) == ("cancelled", MAX_TRIES - 1)


def test_a_run_that_keeps_moving_on_is_a_conflict_that_says_so(
    cancel: Cancel, run: Run, repository: InMemoryRunRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = [lambda: move_on(repository, run.run_id)] * MAX_TRIES
    let_it_change_before_it_is_written(repository, monkeypatch, [*changes])

    with pytest.raises(RunAlreadyEnded, match="its record keeps changing"):
        cancel(run.run_id)
    assert repository.get_run(run.run_id).status == "in_progress"


def test_a_run_that_completes_meanwhile_keeps_its_message(
    cancel: Cancel,
    run: Run,
    repository: InMemoryRunRepository,
    run_api: FakeRunApi,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    complete = [lambda: repository.complete_run(run, Message(text="Done."), START)]
    let_it_change_before_it_is_written(repository, monkeypatch, [*complete])

    with pytest.raises(RunAlreadyEnded, match="it is completed"):
        cancel(run.run_id)
    assert repository.get_message(repository.get_run(run.run_id)) == "Done."
    assert run_api.cancelled == []


def test_a_later_attempt_is_cancelled_by_the_name_of_its_own_execution(
    cancel: Cancel, run: Run, repository: InMemoryRunRepository, workflow: InMemoryWorkflow
) -> None:
    reopened = repository.reopen_run(repository.record_failure(run, FAILURE, USAGE, START), None)
    workflow.end_execution(run, "FAILED")
    workflow.start_execution(reopened)

    cancel(run.run_id)

    statuses = {name: execution.status for name, execution in workflow.executions.items()}
    assert statuses == {run.run_id: "FAILED", f"{run.run_id}-2": "ABORTED"}


@pytest.mark.parametrize("exists", [True, False], ids=["of another caller", "that does not exist"])
def test_a_run_that_the_caller_may_not_see_is_not_found(
    cancel: Cancel, run: Run, repository: InMemoryRunRepository, exists: bool
) -> None:
    run_id = run.run_id if exists else "run_x"

    with pytest.raises(NotFound, match=f"there is no run '{run_id}'"):
        cancel(run_id, "somebody else")
    assert repository.get_run(run.run_id).status == "in_progress"
