"""Retry a run that ended without a message: the same run, in a new execution."""

from upcall.domain.caller import Caller
from upcall.domain.errors import RunNotRetryable
from upcall.domain.quota import NO_QUOTA, Quota
from upcall.domain.run import Run
from upcall.use_cases.get_run import get_run_of_caller
from upcall.use_cases.interfaces import Clock, GetRunApi, RunRepository, Workflow

MAX_ATTEMPTS = 10


def retry_run(
    run_id: str,
    caller: Caller,
    *,
    repository: RunRepository,
    get_run_api: GetRunApi,
    workflow: Workflow,
    clock: Clock,
    default_quota: Quota = NO_QUOTA,
) -> Run:
    """Reopen a run and start the workflow on it. It counts as a run of its owner.

    Raises NotFound, RunNotRetryable, Stopped and QuotaExceeded.

    Tools that have answered are not called again: the model gets the ledger. A run API that cannot resume
    after tool calls can only retry a run that has called none.
    """
    run = get_run_of_caller(run_id, caller, repository)
    run_api = get_run_api(run.run_api)
    if not run.ended:
        raise RunNotRetryable(f"run {run_id} has not ended: it is {run.status}")
    if run.status == "completed":
        raise RunNotRetryable(f"run {run_id} is completed; only a run without a message can be retried")
    if run.round and not run_api.can_resume_after_tool_calls():
        raise RunNotRetryable(
            f"the {run.run_api} run API cannot resume a run that has called tools; start a new run"
        )
    if run.attempt >= MAX_ATTEMPTS:
        raise RunNotRetryable(f"run {run_id} was tried {MAX_ATTEMPTS} times")
    execution = workflow.describe_execution(run)
    if execution is not None and execution.status == "RUNNING":
        raise RunNotRetryable(f"the execution of run {run_id} is about to end; try again in a moment")
    controls = repository.get_controls(run.owner, run.batch_id)
    controls.check()
    run = repository.settle_run(run)
    conversation = run_api.conversation_to_retry_in(run)
    reopened = repository.reopen_run(run, conversation, controls.quota(default_quota), clock.now())
    workflow.start_execution(reopened)
    return reopened
