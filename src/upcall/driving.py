"""What the workflow does to a run upstream, each thing once however often it is tried.

An intent is recorded before a run is created, and a round moves the record on when it is submitted; a
second try finds what the first one came to.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from upcall.assistants import Assistant
from upcall.errors import RunEnded, TryAgain
from upcall.models import Handle, ToolCall, ToolDefinition, ToolOutput, Usage
from upcall.run import Run
from upcall.run_apis import RunApi, run_api
from upcall.store import run_store


def create(run: Run, assistant: Assistant, tools: Sequence[ToolDefinition]) -> Handle:
    """Create the run upstream, unless it is there. Raises TryAgain, Refused, RunEnded."""
    if run.handle is not None:
        return run.handle
    api, intent = run_api(run.run_api), run.intent
    if intent is None:
        intent = api.prepare(run, assistant, tools)
        run_store().intended(run, intent)
    answered = run_store().ledger(run.run_id) if run.round else []
    handle = api.create(run, intent, assistant, tools, answered)
    with _cancelling_if_ended(api, handle):
        run_store().created(run, handle)
    return handle


def submit(
    run: Run,
    assistant: Assistant,
    tools: Sequence[ToolDefinition],
    handle: Handle,
    calls: Sequence[ToolCall],
    outputs: Sequence[ToolOutput],
    usage: Usage,
) -> Handle:
    """Submit the outputs of the round after `run.round`. Raises TryAgain, Refused, RunEnded."""
    api = run_api(run.run_api)
    handle = api.submit(run, assistant, tools, handle, outputs)
    with _cancelling_if_ended(api, handle):
        run_store().round_done(run, handle, calls, outputs, usage)
    return handle


def unless_told_to_wait(work: Callable[[], Handle]) -> tuple[Handle | None, float]:
    """What `work` gives and 0; or None and the seconds that the server asked to wait (Retry-After)."""
    try:
        return work(), 0
    except TryAgain as error:
        if error.retry_after is None:
            raise
        return None, max(error.retry_after, 1)


@contextmanager
def _cancelling_if_ended(api: RunApi, handle: Handle) -> Iterator[None]:
    """Cancel what was made upstream for a run that has ended meanwhile; RunEnded passes on."""
    try:
        yield
    except RunEnded:
        api.cancel(handle)
        raise
