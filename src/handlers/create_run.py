"""State "Create run": starts the run upstream, once, and says what the workflow may do for it."""

import tools
from upcall import driving
from upcall.assistants import Limits, assistant
from upcall.caller import sees_stacks_own
from upcall.models import Model
from upcall.step import step
from upcall.store import run_store


class CreateRun(Model):
    """The run to create."""

    run_id: str


class RunCreated(driving.Attempt):
    """Where the run lives upstream, or how long to wait, or a refusal; its tools, limits and figures."""

    tools: tuple[str, ...]
    limits: Limits
    round: int
    tokens: int
    tool_calls: int


@step
def lambda_handler(event: CreateRun) -> RunCreated:
    """Create the run; one that an earlier try has created already is taken as it is."""
    run = run_store().get(event.run_id)
    chosen = assistant(run.assistant)
    allowed = tools.allowed(chosen.tools, stacks_own=sees_stacks_own(run))
    definitions = tools.definitions(allowed)
    came = driving.attempt(lambda: driving.create(run, chosen, definitions))
    return RunCreated(
        **dict(came),
        tools=allowed,
        limits=run.limits,
        round=run.round,
        tokens=run.usage.total_tokens,
        tool_calls=run.tool_calls,
    )
