"""What the workflow does to a run upstream, each thing once however often it is tried.

An intent is recorded before a run is created, and a round moves the record on when it is submitted; a
second try finds what the first one came to.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from upcall.assistants import Assistant
from upcall.errors import Refused, RunEnded, TryAgain
from upcall.models import Failure, Handle, Model, ToolCall, ToolDefinition, ToolOutput, Usage
from upcall.run import Run
from upcall.run_apis import RunApi, run_api
from upcall.store import run_store

REFUSED: Final = Refused.__name__
"""The code of a run's failure that the server refused."""


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


class Attempt(Model):
    """What came of asking the server for something: a handle, a wish to be asked later, or a refusal."""

    handle: Handle | None = None
    pause_seconds: float = 0
    failure: Failure | None = None


def attempt(work: Callable[[], Handle]) -> Attempt:
    """Do the work, and take what the server says for an answer. Raises TryAgain without Retry-After."""
    try:
        return Attempt(handle=work())
    except TryAgain as error:
        if error.retry_after is None:
            raise
        return Attempt(pause_seconds=max(error.retry_after, 1))
    except Refused as error:
        return Attempt(failure=refusal(error))


def refusal(error: Refused) -> Failure:
    """A refusal as a value: Lambda logs what exceptions say, and servers quote what they were sent."""
    return Failure(code=REFUSED, message=str(error))


@contextmanager
def _cancelling_if_ended(api: RunApi, handle: Handle) -> Iterator[None]:
    """Cancel what was made upstream for a run that has ended meanwhile; RunEnded passes on."""
    try:
        yield
    except RunEnded:
        api.cancel(handle)
        raise
