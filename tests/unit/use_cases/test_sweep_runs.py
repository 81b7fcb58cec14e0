from collections.abc import Callable
from datetime import timedelta

import pytest
from support.fakes.clock import FakeClock
from support.fakes.run_repository import InMemoryRunRepository
from support.fakes.senders import InMemoryEndedExecutionQueue
from support.fakes.workflow import InMemoryWorkflow
from support.open_calls import approval, open_call
from support.run_records import FAILURE, UPSTREAM_RUN, USAGE, new_run

from upcall.domain.execution import Execution
from upcall.domain.open_calls import OpenCall
from upcall.domain.run import Run
from upcall.use_cases.sweep_runs import MIN_AGE, SweepResult, sweep_runs

Sweep = Callable[[], SweepResult]


@pytest.fixture
def sweep(
    repository: InMemoryRunRepository,
    workflow: InMemoryWorkflow,
    ended_executions: InMemoryEndedExecutionQueue,
    clock: FakeClock,
) -> Sweep:
    def call() -> SweepResult:
        return sweep_runs(
            repository=repository,
            workflow=workflow,
            waiting_tasks=workflow,
            ended_executions=ended_executions,
            clock=clock,
        )

    return call


@pytest.fixture
def old_run(repository: InMemoryRunRepository, clock: FakeClock) -> Run:
    """A run that was recorded a while ago, and whose execution was never started."""
    return repository.add_run(new_run(created_at=clock.now() - 2 * MIN_AGE))


def test_a_run_without_an_execution_is_resumed(
    sweep: Sweep, old_run: Run, workflow: InMemoryWorkflow
) -> None:
    assert sweep() == SweepResult(open=1, resumed=1)

    execution = workflow.describe_execution(old_run)
    assert execution is not None
    assert execution.status == "RUNNING"


def test_a_run_that_was_resumed_is_left_alone_by_the_next_sweep(sweep: Sweep, old_run: Run) -> None:
    sweep()

    assert sweep() == SweepResult(open=1)


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED", "SUCCEEDED"])
def test_a_run_whose_execution_has_ended_is_enqueued_to_be_closed(
    sweep: Sweep,
    old_run: Run,
    repository: InMemoryRunRepository,
    workflow: InMemoryWorkflow,
    ended_executions: InMemoryEndedExecutionQueue,
    status: str,
) -> None:
    ended = Execution.model_validate(
        {"name": old_run.run_id, "status": status, "error": "Lost", "cause": "Gone."}
    )
    workflow.executions[old_run.run_id] = ended

    assert sweep() == SweepResult(open=1, enqueued=1)

    assert ended_executions.executions == [ended]
    assert repository.get_run(old_run.run_id).status == "queued", "close_run ends it"


def test_a_run_that_is_worked_on_is_left_alone(
    sweep: Sweep,
    old_run: Run,
    repository: InMemoryRunRepository,
    workflow: InMemoryWorkflow,
    ended_executions: InMemoryEndedExecutionQueue,
) -> None:
    workflow.start_execution(old_run)
    repository.record_creation(old_run, UPSTREAM_RUN, "polled")

    assert sweep() == SweepResult(open=1)
    assert ended_executions.executions == []


def test_a_young_run_is_left_alone(
    sweep: Sweep, repository: InMemoryRunRepository, workflow: InMemoryWorkflow, clock: FakeClock
) -> None:
    repository.add_run(new_run(created_at=clock.now() - MIN_AGE / 2))

    assert sweep() == SweepResult()
    assert workflow.executions == {}


def test_a_young_run_is_resumed_when_it_has_become_old(
    sweep: Sweep, repository: InMemoryRunRepository, clock: FakeClock
) -> None:
    repository.add_run(new_run(created_at=clock.now()))
    clock.advance((MIN_AGE + timedelta(seconds=1)).total_seconds())

    assert sweep().resumed == 1


def test_ended_runs_are_not_checked(
    sweep: Sweep, old_run: Run, repository: InMemoryRunRepository, workflow: InMemoryWorkflow
) -> None:
    repository.record_failure(old_run, FAILURE, USAGE, old_run.created_at)

    assert sweep() == SweepResult()
    assert workflow.executions == {}


def test_a_retried_run_is_resumed_at_its_present_attempt(
    sweep: Sweep, old_run: Run, repository: InMemoryRunRepository, workflow: InMemoryWorkflow
) -> None:
    """The function died between the reopening of the run and the start of its execution."""
    workflow.end_execution(old_run, "FAILED")
    ended = repository.record_failure(old_run, FAILURE, USAGE, old_run.created_at)
    repository.reopen_run(ended, None)

    assert sweep() == SweepResult(open=1, resumed=1)
    assert workflow.executions[f"{old_run.run_id}-2"].status == "RUNNING"


def test_each_run_is_checked_for_itself(
    sweep: Sweep,
    old_run: Run,
    repository: InMemoryRunRepository,
    workflow: InMemoryWorkflow,
    clock: FakeClock,
) -> None:
    running, ended = (
        repository.add_run(new_run(created_at=clock.now() - timedelta(days=days))) for days in (1, 100)
    )
    workflow.start_execution(running)
    workflow.end_execution(ended, "TIMED_OUT")

    assert sweep() == SweepResult(open=3, resumed=1, enqueued=1)


@pytest.fixture
def outdated_index(repository: InMemoryRunRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index of open runs as it was before the test changed anything: it follows the table a little later."""
    list_open_runs = repository.list_open_runs
    before = list(list_open_runs(new_run().created_at + timedelta(days=1)))
    monkeypatch.setattr(repository, "list_open_runs", lambda created_before: iter(before))


def test_a_run_that_has_ended_and_is_listed_still_is_left_alone(
    sweep: Sweep,
    old_run: Run,
    outdated_index: None,
    repository: InMemoryRunRepository,
    workflow: InMemoryWorkflow,
    ended_executions: InMemoryEndedExecutionQueue,
) -> None:
    repository.record_failure(old_run, FAILURE, USAGE, old_run.created_at)

    assert sweep() == SweepResult(open=0)
    assert workflow.executions == {}
    assert ended_executions.executions == []


def test_a_run_that_was_deleted_and_is_listed_still_does_not_stop_the_sweep(
    sweep: Sweep,
    old_run: Run,
    repository: InMemoryRunRepository,
    workflow: InMemoryWorkflow,
    clock: FakeClock,
    request: pytest.FixtureRequest,
) -> None:
    newer_run = repository.add_run(new_run(created_at=clock.now() - 1.5 * MIN_AGE))
    request.getfixturevalue("outdated_index")
    repository.delete_run(old_run.run_id)

    assert sweep() == SweepResult(open=1, resumed=1)
    assert list(workflow.executions) == [newer_run.run_id]


@pytest.fixture
def waiting_call(repository: InMemoryRunRepository, workflow: InMemoryWorkflow, old_run: Run) -> OpenCall:
    """A call of a run whose execution waits for its approval."""
    workflow.start_execution(old_run)
    return repository.open_call(old_run, open_call())


def test_an_answer_whose_sender_died_is_delivered(
    sweep: Sweep,
    old_run: Run,
    waiting_call: OpenCall,
    repository: InMemoryRunRepository,
    workflow: InMemoryWorkflow,
) -> None:
    answered = repository.answer_call(old_run, waiting_call, approval()).answered
    assert answered is not None

    assert [sweep(), sweep()] == [SweepResult(open=1, answered=1), SweepResult(open=1)]
    assert workflow.outputs == {waiting_call.task_token: answered.model_dump(mode="json")}
    assert repository.get_run(old_run.run_id).status == "in_progress"


def test_a_call_whose_time_is_over_is_answered(
    sweep: Sweep, waiting_call: OpenCall, workflow: InMemoryWorkflow, clock: FakeClock
) -> None:
    clock.advance((waiting_call.until - clock.now()).total_seconds())

    assert sweep() == SweepResult(open=1, answered=1)
    assert "in time" in workflow.outputs[waiting_call.task_token]["output"]["output"]


def test_a_call_that_waits_goes_on_waiting(
    sweep: Sweep, waiting_call: OpenCall, workflow: InMemoryWorkflow
) -> None:
    assert sweep() == SweepResult(open=1)
    assert waiting_call.task_token not in workflow.outputs
