"""State "Wait for answer": lets a tool call wait for an approval, or for an output of the run's caller."""

from datetime import timedelta

from upcall import config
from upcall.aws import eventbridge, step_functions
from upcall.aws.run_repository import run_repository
from upcall.domain.model import Model
from upcall.domain.open_calls import CallAnswered
from upcall.domain.tool_calls import ToolCall
from upcall.lambda_runtime.clock import SystemClock
from upcall.lambda_runtime.init import load_at_init
from upcall.lambda_runtime.workflow_task import waiting_task
from upcall.use_cases.wait_for_answer import wait_for_answer

load_at_init(run_repository, eventbridge.get_client, step_functions.get_client)


class WaitForAnswer(Model):
    """A call with its round and position, and the tools of the run that have functions."""

    run_id: str
    round: int
    position: int
    call: ToolCall
    max_output_bytes: int
    tools: tuple[str, ...]
    task_token: str = ""


@waiting_task(step_functions.complete_task)
def lambda_handler(event: WaitForAnswer) -> CallAnswered | None:
    """Let the call wait, or return its answer. None if somebody will complete the task."""
    return wait_for_answer(
        event.run_id,
        event.task_token,
        event.round,
        event.position,
        event.call,
        event.max_output_bytes,
        event.tools,
        retention=timedelta(days=config.retention_days()),
        repository=run_repository(),
        publisher=eventbridge,
        clock=SystemClock(),
    )
