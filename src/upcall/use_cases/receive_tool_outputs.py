"""Take the outputs of a caller's own tools."""

import json
from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from upcall.domain.caller import Caller
from upcall.domain.errors import FieldError, InvalidInput, RunAlreadyEnded
from upcall.domain.json_size import json_bytes
from upcall.domain.limits import MAX_CALLS_PER_ROUND
from upcall.domain.model import Model
from upcall.domain.open_calls import CallAnswer, OpenCall
from upcall.domain.run import Run
from upcall.domain.tool_calls import ToolOutput
from upcall.domain.views import RunView
from upcall.observability.logging import logger
from upcall.use_cases.answer_call import answer_call
from upcall.use_cases.get_run import get_run_of_caller, view_of
from upcall.use_cases.interfaces import Clock, RunRepository, WaitingTasks


class GivenOutput(Model):
    """The output of a call, or why there is none. `call_id` is the server's, or the `id` in the run."""

    call_id: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    output: Annotated[str | None, Field(description="What the model reads.")] = None
    error: Annotated[str | None, Field(description="In place of an output: what went wrong.")] = None

    @model_validator(mode="after")
    def _check_output_or_error(self) -> Self:
        if (self.output is None) == (self.error is None):
            raise ValueError("needs either an output or an error")
        return self

    def for_call(self, open_call: OpenCall) -> ToolOutput:
        """The output of this call. Raises ValueError if it is too large."""
        text = json.dumps({"error": self.error}, ensure_ascii=False) if self.output is None else self.output
        size, most = json_bytes(text), open_call.max_output_bytes
        if size > most:
            raise ValueError(f"takes {size:,} bytes as a JSON string; at most {most:,} are allowed here")
        outcome = "error" if self.output is None else "ok"
        return ToolOutput(call_id=open_call.call.call_id, outcome=outcome, output=text)


class ToolOutputsRequest(Model):
    """Outputs of calls that wait for their caller: one, some or all of them."""

    outputs: Annotated[tuple[GivenOutput, ...], Field(min_length=1, max_length=MAX_CALLS_PER_ROUND)]


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
