"""Take a person's decision about a tool call that waits for an approval."""

from upcall.domain.answers import DecisionRequest
from upcall.domain.caller import Caller
from upcall.domain.errors import CallConflict, DecisionNotAllowed, NotFound
from upcall.domain.open_calls import CallAnswer, OpenCall
from upcall.domain.tool_calls import Decision
from upcall.observability.logging import logger
from upcall.use_cases.answer_call import answer_call
from upcall.use_cases.get_run import get_run_of_caller
from upcall.use_cases.interfaces import Clock, RunRepository, WaitingTasks


def receive_decision(
    run_id: str,
    call: str,
    request: DecisionRequest,
    caller: Caller,
    *,
    four_eyes: bool,
    repository: RunRepository,
    waiting_tasks: WaitingTasks,
    clock: Clock,
) -> Decision:
    """Record the decision about a call, once, and let its run go on. The same decision again changes nothing.

    With `four_eyes`, whoever started the run may not decide. Raises DecisionNotAllowed, NotFound (also for a
    run of another caller), CallConflict for other arguments or a call that is answered otherwise,
    RunAlreadyEnded, and TransientError if the run could not be told: then the decision is recorded, and may
    be sent again.
    """
    if not caller.may_decide:
        raise DecisionNotAllowed("the caller may not decide about tool calls")
    run = get_run_of_caller(run_id, caller, repository)
    open_call = repository.get_open_call(run, call)
    if open_call is None or open_call.waits_for != "approval":
        raise NotFound(f"no call {call!r} of run {run_id} waits for an approval")
    if request.arguments_digest != open_call.call.arguments_digest:
        raise CallConflict(f"call {call} has other arguments than those of this digest; look at it again")
    if four_eyes and run.started_by == caller.person:
        raise DecisionNotAllowed("whoever started the run may not decide about its calls")
    now = clock.now()
    decision = Decision(**request.model_dump(), decided_by=caller.person, decided_at=now)
    answer = CallAnswer(
        decision=decision,
        output=None if request.decision == "approve" else open_call.error(_denied(open_call, request.reason)),
        answered_at=now,
    )
    holds = answer_call(run, open_call, answer, repository, waiting_tasks)
    logger.info("call decided", call=open_call.id)
    return holds.decision or decision


def _denied(open_call: OpenCall, reason: str) -> str:
    said = f" The reason: {reason.strip()}" if reason.strip() else ""
    return f"A person denied the call of {open_call.call.name}, so it was not made.{said}"
