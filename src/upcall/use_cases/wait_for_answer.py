"""Let a tool call wait for an answer from outside; nothing runs meanwhile.

The call is written down with its task's token, and then it is made known to those who may answer. Whoever
answers writes the answer first and completes the task then. The sweeper does that for an answer whose sender
died between the two.
"""

from collections.abc import Collection
from datetime import timedelta

from upcall.domain.events import CallWaitsEvent
from upcall.domain.open_calls import CallAnswered, OpenCall, WaitsFor, answer_until
from upcall.domain.output_text import error_text
from upcall.domain.run import Run
from upcall.domain.tool_calls import ToolCall, ToolOutput
from upcall.observability.logging import logger
from upcall.use_cases.answer_call import answer_if_late
from upcall.use_cases.interfaces import Clock, EventPublisher, RunRepository

MAX_NAME_CHARACTERS = 100
"""Of a tool that does not exist: the model chooses the name."""


def wait_for_answer(
    run_id: str,
    task_token: str,
    round: int,  # noqa: A002  # the field's word
    position: int,
    call: ToolCall,
    max_output_bytes: int,
    function_tools: Collection[str],
    *,
    retention: timedelta,
    repository: RunRepository,
    publisher: EventPublisher,
    clock: Clock,
) -> CallAnswered | None:
    """Let the task wait. Returns the answer if there is one already; None if the task waits.

    A call of one of the `function_tools` waits for an approval, a call of a caller's tool for its output. A
    call of any other name is answered with an error, and one whose time is over as well. Raises NotFound,
    RunAlreadyEnded, TransientError.
    """
    run = repository.get_run(run_id)
    waits_for = _waits_for(call, function_tools, run)
    if waits_for is None:
        names = ", ".join([*function_tools, *(tool.name for tool in run.tools)])
        message = f"There is no tool {call.name[:MAX_NAME_CHARACTERS]}. There is: {names or 'none'}."
        text = error_text(message, max_output_bytes)
        return CallAnswered(output=ToolOutput(call_id=call.call_id, outcome="error", output=text))
    now = clock.now()
    open_call = repository.open_call(
        run,
        OpenCall(
            round=round,
            position=position,
            call=call,
            waits_for=waits_for,
            max_output_bytes=max_output_bytes,
            since=now,
            until=answer_until(run.limits, now, run.created_at + retention),
            task_token=task_token,
        ),
    )
    open_call = answer_if_late(run, open_call, now, repository)
    if open_call.answer is not None:
        repository.close_call(run, open_call)
        return open_call.answered
    if not open_call.event_published:
        publisher.publish(CallWaitsEvent.of(run, open_call))
        repository.mark_call_published(run, open_call)
        logger.info("call waits", status="requires_action")
    return None


def _waits_for(call: ToolCall, function_tools: Collection[str], run: Run) -> WaitsFor | None:
    if call.name in function_tools:
        return "approval"
    return "output" if call.name in {tool.name for tool in run.tools} else None
