from collections.abc import Callable

import pytest
from support.fakes.clock import START, FakeClock
from support.fakes.run_api import FakeRunApi
from support.fakes.run_repository import InMemoryRunRepository
from support.fakes.workflow import InMemoryWorkflow
from support.run_records import ANSWER, FAILURE, NEXT_UPSTREAM_RUN, UPSTREAM_RUN, USAGE, new_run

from upcall.domain.caller import ANYBODY, Caller
from upcall.domain.errors import NotFound, QuotaExceeded, RunNotRetryable, Stopped
from upcall.domain.quota import NO_QUOTA, Quota
from upcall.domain.run import Run
from upcall.domain.stop import Stop
from upcall.domain.upstream_run import Message
from upcall.use_cases.retry_run import MAX_ATTEMPTS, retry_run

Retry = Callable[..., Run]
"""Retry a run: its id and the caller."""


@pytest.fixture
def retry(
    repository: InMemoryRunRepository, run_api: FakeRunApi, workflow: InMemoryWorkflow, clock: FakeClock
) -> Retry:
    def call(run_id: str, caller: str = ANYBODY, quota: Quota = NO_QUOTA) -> Run:
        return retry_run(
            run_id,
            Caller(caller, one_tenant=False),
            repository=repository,
            get_run_api=run_api.get,
            workflow=workflow,
            clock=clock,
            default_quota=quota,
        )

    return call


@pytest.fixture
def failed_run(repository: InMemoryRunRepository, workflow: InMemoryWorkflow) -> Run:
    """A run whose first attempt failed, in a conversation that it continued."""
    run = repository.add_run(new_run().model_copy(update={"previous_upstream_run": NEXT_UPSTREAM_RUN}))
    repository.record_creation(run, UPSTREAM_RUN, "polled")
    workflow.end_execution(run, "FAILED")
    return repository.record_failure(run, FAILURE, USAGE, START)


def test_a_failed_run_is_queued_again_and_an_execution_of_the_next_attempt_started(
    retry: Retry, failed_run: Run, repository: InMemoryRunRepository, workflow: InMemoryWorkflow
) -> None:
    run = retry(failed_run.run_id)

    assert run == repository.get_run(failed_run.run_id)
    assert (run.status, run.attempt, run.failure, run.ended_at) == ("queued", 2, None, None)
    assert run.usage == USAGE, "tokens of all attempts count"
    execution = workflow.describe_execution(run)
    assert execution is not None
    assert (execution.name, execution.status) == (f"{run.run_id}-2", "RUNNING")


def test_the_next_attempt_is_in_the_conversation_that_the_run_api_names(
    retry: Retry, failed_run: Run
) -> None:
    run = retry(failed_run.run_id)

    assert (run.previous_upstream_run, run.upstream_run) == (NEXT_UPSTREAM_RUN, None)


@pytest.mark.parametrize("status", ["queued", "in_progress", "completed"])
def test_a_run_that_is_open_or_completed_is_a_conflict_that_says_so(
    retry: Retry, repository: InMemoryRunRepository, workflow: InMemoryWorkflow, status: str
) -> None:
    run = repository.add_run(new_run())
    if status != "queued":
        repository.record_creation(run, UPSTREAM_RUN, "polled")
    if status == "completed":
        repository.complete_run(run, Message(text="Done."), START)
    before = repository.get_run(run.run_id)

    with pytest.raises(RunNotRetryable, match=status):
        retry(run.run_id)
    assert repository.get_run(run.run_id) == before
    assert workflow.executions == {}


@pytest.fixture
def run_with_calls(repository: InMemoryRunRepository) -> Run:
    """A failed run that has called a tool."""
    run = repository.add_run(new_run())
    repository.record_round(run, UPSTREAM_RUN, [ANSWER], USAGE)
    return repository.record_failure(repository.get_run(run.run_id), FAILURE, USAGE, START)


def test_a_run_that_has_called_tools_keeps_its_ledger(
    retry: Retry, run_with_calls: Run, repository: InMemoryRunRepository
) -> None:
    run = retry(run_with_calls.run_id)

    assert (run.round, run.tool_calls) == (1, 1)
    assert repository.get_ledger(run.run_id) == [ANSWER]


def test_a_run_api_that_cannot_resume_retries_no_run_that_has_called_tools(
    retry: Retry, run_with_calls: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    run_api.resumes_after_tool_calls = False

    with pytest.raises(
        RunNotRetryable,
        match="the responses run API cannot resume a run that has called tools; start a new run",
    ):
        retry(run_with_calls.run_id)
    assert repository.get_run(run_with_calls.run_id) == run_with_calls


def test_a_run_api_that_cannot_resume_retries_a_run_that_has_called_no_tool(
    retry: Retry, failed_run: Run, run_api: FakeRunApi
) -> None:
    run_api.resumes_after_tool_calls = False

    assert retry(failed_run.run_id).attempt == 2


def test_a_run_is_tried_ten_times_at_most(
    retry: Retry, failed_run: Run, repository: InMemoryRunRepository, workflow: InMemoryWorkflow
) -> None:
    for _ in range(MAX_ATTEMPTS - 1):
        run = retry(failed_run.run_id)
        workflow.end_execution(run, "FAILED")
        repository.record_failure(run, FAILURE, USAGE, START)

    with pytest.raises(RunNotRetryable, match=f"was tried {MAX_ATTEMPTS} times"):
        retry(failed_run.run_id)
    assert MAX_ATTEMPTS == 10


def test_a_run_whose_execution_is_about_to_end_is_not_retried_yet(
    retry: Retry, failed_run: Run, workflow: InMemoryWorkflow
) -> None:
    workflow.end_execution(failed_run, "RUNNING")

    with pytest.raises(RunNotRetryable, match="is about to end; try again in a moment"):
        retry(failed_run.run_id)


def test_a_run_that_never_had_an_execution_is_retried(
    retry: Retry, repository: InMemoryRunRepository, workflow: InMemoryWorkflow
) -> None:
    run = repository.add_run(new_run())
    repository.record_failure(run, FAILURE, USAGE, START)

    retry(run.run_id)

    assert list(workflow.executions) == [f"{run.run_id}-2"]


def test_of_two_retries_at_once_one_is_a_conflict(
    retry: Retry,
    failed_run: Run,
    repository: InMemoryRunRepository,
    workflow: InMemoryWorkflow,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reopen_run = repository.reopen_run

    def reopened_before(run: Run, *_: object) -> Run:
        reopen_run(run, None)
        return reopen_run(run, None)

    monkeypatch.setattr(repository, "reopen_run", reopened_before)

    with pytest.raises(RunNotRetryable, match="is being retried already"):
        retry(failed_run.run_id)
    assert repository.get_run(failed_run.run_id).attempt == 2
    assert list(workflow.executions) == [failed_run.run_id], "the other request starts the execution"


@pytest.mark.parametrize("exists", [True, False], ids=["of another caller", "that does not exist"])
def test_a_run_that_the_caller_may_not_see_is_not_found(retry: Retry, failed_run: Run, exists: bool) -> None:
    run_id = failed_run.run_id if exists else "run_0"

    with pytest.raises(NotFound, match=f"there is no run '{run_id}'"):
        retry(run_id, "somebody else")


def test_a_retry_counts_against_the_quota_of_the_owner(
    retry: Retry, failed_run: Run, repository: InMemoryRunRepository, workflow: InMemoryWorkflow
) -> None:
    quota = Quota(runs=1)
    workflow.end_execution(retry(failed_run.run_id, quota=quota), "FAILED")
    failed = repository.record_failure(repository.get_run(failed_run.run_id), FAILURE, USAGE, START)

    with pytest.raises(QuotaExceeded):
        retry(failed.run_id, quota=quota)

    assert repository.get_run(failed.run_id).ended


def test_an_attempt_whose_end_was_not_counted_yet_is_counted_before_the_next_one(
    retry: Retry, repository: InMemoryRunRepository
) -> None:
    quota = Quota(tokens=USAGE.total_tokens + 1, concurrent=1)
    run = repository.add_run(new_run(), quota)
    repository.record_failure(run, FAILURE, USAGE, START)

    assert retry(run.run_id, quota=quota).attempt == 2
    assert sum(day["tokens"] for day in repository.days.values()) == USAGE.total_tokens


def test_no_run_is_retried_while_an_operator_has_stopped_them(
    retry: Retry, failed_run: Run, repository: InMemoryRunRepository, workflow: InMemoryWorkflow
) -> None:
    repository.stops.append(Stop(scope="all", since=START))

    with pytest.raises(Stopped):
        retry(failed_run.run_id)

    assert repository.get_run(failed_run.run_id) == failed_run
    assert f"{failed_run.run_id}-2" not in workflow.executions
