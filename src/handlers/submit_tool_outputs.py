"""State "Submit tool outputs": answers every call of a round at once and writes the ledger."""

import tools
from upcall import driving
from upcall.assistants import assistant
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


class RoundDone(Model):
    """Where the run lives upstream from now on, or how long the server asked to wait."""

    handle: Handle
    pause_seconds: float = 0


@step
def lambda_handler(event: SubmitToolOutputs) -> RoundDone:
    """Submit the outputs; a round that an earlier try has submitted is not submitted again."""
    run = run_store().get(event.run_id)
    if run.handle is not None and run.round >= event.round:
        return RoundDone(handle=run.handle)
    chosen = assistant(run.assistant)
    definitions = tools.definitions(chosen.tools)
    outputs = tuple(map(ToolOutput.given, event.tool_calls, event.tool_outputs))
    round_ = (event.handle, event.tool_calls, outputs, event.usage)
    handle, pause = driving.unless_told_to_wait(lambda: driving.submit(run, chosen, definitions, *round_))
    return RoundDone(handle=handle or event.handle, pause_seconds=pause)
