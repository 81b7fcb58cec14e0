"""The run APIs: the OpenAI protocols that a run can be driven through, one module each.

Each module has the functions of `RunApi`; nothing outside this package knows which one is in use.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from upcall.assistants import Assistant
from upcall.models import Handle, LedgerEntry, Message, RunApiName, Snapshot, ToolDefinition, ToolOutput
from upcall.run import Run
from upcall.run_apis import agents, assistants, responses


class RunApi(Protocol):
    """What every protocol must be able to do.

    All raise TryAgain when the world was not ready and Refused when the server said no for good.
    """

    def prepare(self, run: Run, assistant: Assistant, tools: Sequence[ToolDefinition]) -> Handle:
        """What must be known before the run is created: it is recorded first, as the intent.

        A second try then finds what the first one has made. Starts nothing that would call tools.
        """

    def create(
        self,
        run: Run,
        intent: Handle,
        assistant: Assistant,
        tools: Sequence[ToolDefinition],
        answered: Sequence[LedgerEntry] = (),
    ) -> Handle:
        """Start the run upstream, in the conversation of `run.previous` if there is one.

        `answered` are the calls of an earlier attempt: the model is to know of them.
        """

    def poll(self, handle: Handle) -> Snapshot:
        """How the run stands."""

    def submit(
        self,
        run: Run,
        assistant: Assistant,
        tools: Sequence[ToolDefinition],
        handle: Handle,
        outputs: Sequence[ToolOutput],
    ) -> Handle:
        """Answer every call of the round at once; returns where the run lives from now on."""

    def message(self, handle: Handle) -> Message:
        """The final message of a completed run."""

    def cancel(self, handle: Handle) -> None:
        """Stop the run upstream; one that has ended already is left as it is."""


_RUN_APIS: Mapping[RunApiName, RunApi] = {
    "responses": responses,
    "assistants": assistants,
    "agents": agents,
}


def run_api(name: RunApiName) -> RunApi:
    """The run API of that name."""
    return _RUN_APIS[name]
