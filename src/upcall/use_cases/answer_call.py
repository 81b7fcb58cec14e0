"""Answer a tool call that waits: write the answer down, once, then complete the task of the workflow."""

from datetime import datetime

from upcall.domain.errors import CallConflict, RunAlreadyEnded
from upcall.domain.open_calls import CallAnswer, CallAnswered, OpenCall
from upcall.domain.run import Run
from upcall.use_cases.interfaces import RunRepository, WaitingTasks


def answer_call(
    run: Run, open_call: OpenCall, answer: CallAnswer, repository: RunRepository, waiting_tasks: WaitingTasks
) -> CallAnswer:
    """Answer a call. Returns the answer that holds: this one, or the same one that was given before.

    The task is completed each time, in case an earlier sender died before it had done that; if nobody sends
    the answer again, `complete_answered_calls` completes it. Raises CallConflict for a call that has another
    answer or whose time is over, RunAlreadyEnded, TransientError.
    """
    if open_call.answer is None:
        if run.ended:
            raise _ended(run)
        if run.round >= open_call.round:  # the workflow could not wait for it
            message = f"call {open_call.id} waits no longer: the run has gone on without an answer"
            raise CallConflict(message)
        given = open_call.timed_out(answer.answered_at) or answer
        open_call = repository.answer_call(run, open_call, given)
    answered, holds = open_call.answered, open_call.answer
    if answered is None or holds is None:
        raise _ended(run)
    completed = _deliver(run, open_call, answered, repository, waiting_tasks)
    if not answer.repeats(holds):
        raise CallConflict(_conflict(open_call, holds))
    if holds == answer and not completed and repository.get_run(run.run_id).ended:
        raise _ended(run)
    return holds


def complete_answered_calls(
    run: Run, now: datetime, repository: RunRepository, waiting_tasks: WaitingTasks
) -> int:
    """Complete the tasks of calls that have their answers, and of those whose time is over.

    Returns how many there were. Raises TransientError.
    """
    completed = 0
    for listed in repository.list_open_calls(run) if run.waiting_calls else []:
        if listed.entry not in run.waiting_calls:
            continue
        open_call = answer_if_late(run, listed, now, repository)
        if answered := open_call.answered:
            _deliver(run, open_call, answered, repository, waiting_tasks)
            completed += 1
    return completed


def answer_if_late(run: Run, open_call: OpenCall, now: datetime, repository: RunRepository) -> OpenCall:
    """The call, which is answered with an error if its time is over and nobody has answered it."""
    timed_out = open_call.timed_out(now)
    if open_call.answer is not None or timed_out is None:
        return open_call
    return repository.answer_call(run, open_call, timed_out)


def _deliver(
    run: Run,
    open_call: OpenCall,
    answered: CallAnswered,
    repository: RunRepository,
    waiting_tasks: WaitingTasks,
) -> bool:
    """Complete the task of a call, then show the call no more. Returns whether the task waited."""
    completed = waiting_tasks.complete_task(open_call.task_token, answered.model_dump(mode="json"))
    repository.close_call(run, open_call)
    return completed


def _ended(run: Run) -> RunAlreadyEnded:
    return RunAlreadyEnded(f"run {run.run_id} has ended; nothing waits for this answer")


def _conflict(open_call: OpenCall, holds: CallAnswer) -> str:
    if decision := holds.decision:
        decided = {"approve": "approved", "deny": "denied"}[decision.decision]
        when = _time(holds.answered_at)
        return f"call {open_call.id} was {decided} already, by {decision.decided_by} at {when}"
    if holds.answered_at >= open_call.until:
        return f"it is too late: call {open_call.id} was not answered by {_time(open_call.until)}"
    return f"call {open_call.id} has another output already"


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
