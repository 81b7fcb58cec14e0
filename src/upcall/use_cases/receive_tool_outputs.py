"""Take the outputs of a caller's own tools."""

from collections.abc import Sequence

from upcall.domain.answers import ToolOutputsRequest
from upcall.domain.caller import Caller
from upcall.domain.errors import FieldError, InvalidInput, RunAlreadyEnded
from upcall.domain.open_calls import CallAnswer, OpenCall
from upcall.domain.run import Run
from upcall.domain.views import RunView
from upcall.observability.logging import logger
from upcall.use_cases.answer_call import answer_call
from upcall.use_cases.get_run import get_run_of_caller, view_of
from upcall.use_cases.interfaces import Clock, RunRepository, WaitingTasks


def receive_tool_outputs(
    run_id: str,
    request: ToolOutputsRequest,
    caller: Caller,
    *,
    repository: RunRepository,
    waiting_tasks: WaitingTasks,
    clock: Clock,
) -> RunView:
    """Answer calls with these outputs, each once, and let the run go on. The same again changes nothing.

    Returns the run with the calls that still wait.

    Nothing is written unless every output is for a call of the run and small enough. Raises InvalidInput,
    NotFound (also for a run of another caller), CallConflict for a call that has another output,
    RunAlreadyEnded, TransientError.
    """
    run = get_run_of_caller(run_id, caller, repository)
    calls = repository.list_open_calls(run)
    now = clock.now()
    answers: list[tuple[OpenCall, CallAnswer]] = []
    errors: list[FieldError] = []
    for number, given in enumerate(request.outputs):
        try:
            open_call = _find_call(calls, given.call_id, run)
            if any(open_call.id == other.id for other, _ in answers):
                raise ValueError(f"names call {open_call.id} a second time")
            answers.append((open_call, CallAnswer(output=given.for_call(open_call), answered_at=now)))
        except ValueError as error:
            errors.append(FieldError(f"outputs.{number}", str(error)))
    if errors:
        raise InvalidInput(*errors)
    for open_call, answer in answers:
        answer_call(run, open_call, answer, repository, waiting_tasks)
    logger.info("outputs received", calls=len(answers))
    return view_of(repository.get_run(run_id), repository)


def _find_call(calls: Sequence[OpenCall], call_id: str, run: Run) -> OpenCall:
    """The call of this id. Of several with the server's id it is the one that still waits, or the newest."""
    named = [each for each in calls if call_id in (each.id, each.call.call_id)]
    found = [each for each in named if each.waits_for == "output"]
    waiting = [each for each in found if each.answer is None]
    if len(waiting) > 1:
        ids = ", ".join(each.id for each in waiting)
        raise ValueError(f"several calls have this id; name one of {ids} instead")
    if found:
        return (waiting or found)[-1]
    if named:
        raise ValueError("this call waits for an approval, not for an output")
    if run.ended:
        raise RunAlreadyEnded(f"run {run.run_id} has ended; nothing waits for this answer")
    ids = ", ".join(each.call.call_id for each in calls if each.waits_for == "output" and each.answer is None)
    raise ValueError(f"no call of this id waits for an output; those that wait: {ids or 'none'}")
