"""State "Submit tool outputs": answers every call of a round at once and writes the ledger."""

import tools
from upcall import driving
from upcall.assistants import assistant
from upcall.caller import sees_stacks_own
from upcall.models import Handle, Model, ToolCall, ToolOutput, Usage
from upcall.step import step
from upcall.store import run_store


class SubmitToolOutputs(Model):
    """A round: its number from 1 on, its calls, what came of each in the same order, the turn's tokens."""

    run_id: str
    handle: Handle
    round: int
    tool_calls: tuple[ToolCall, ...]
    tool_outputs: tuple[object, ...]
    usage: Usage


@step
def lambda_handler(event: SubmitToolOutputs) -> driving.Attempt:
    """Submit the outputs; a round that an earlier try has submitted is not submitted again."""
    run = run_store().get(event.run_id)
    if run.handle is not None and run.round >= event.round:
        return driving.Attempt(handle=run.handle)
    chosen = assistant(run.assistant)
    definitions = tools.definitions(tools.allowed(chosen.tools, stacks_own=sees_stacks_own(run)))
    outputs = tuple(map(ToolOutput.given, event.tool_calls, event.tool_outputs))
    round_ = (event.handle, event.tool_calls, outputs, event.usage)
    came = driving.attempt(lambda: driving.submit(run, chosen, definitions, *round_))
    return came.model_copy(update={"handle": came.handle or event.handle})
