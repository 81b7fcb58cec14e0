"""State "Create run": starts the run upstream, once, and says what the workflow may do for it."""

import tools
from upcall.assistants import Limits, assistant
from upcall.models import Handle, Model
from upcall.run_apis import run_api
from upcall.step import step
from upcall.store import run_store


class CreateRun(Model):
    """The run to create."""

    run_id: str


class RunCreated(Model):
    """Where the run lives upstream, the tools that it may call, and where it is stopped."""

    handle: Handle
    tools: tuple[str, ...]
    limits: Limits


@step
def lambda_handler(event: CreateRun) -> RunCreated:
    """Create the run; one that an earlier try has created already is taken as it is."""
    run = run_store().get(event.run_id)
    chosen = assistant(run.assistant)
    handle = run.handle
    if handle is None:
        handle = run_api(run.run_api).create(run, chosen, tools.definitions(chosen.tools))
        run_store().created(run, handle)
    return RunCreated(handle=handle, tools=chosen.tools, limits=chosen.limits)
