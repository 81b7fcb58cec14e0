"""The run APIs: the OpenAI protocols that a run can be driven through, one module each.

Each module has the functions of `RunApi`; nothing outside this package knows which one is in use.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from upcall.assistants import Assistant
from upcall.models import Handle, Message, Snapshot, ToolDefinition, ToolOutput
from upcall.run import Run
from upcall.run_apis import responses

DEFAULT = "responses"


class RunApi(Protocol):
    """What every protocol must be able to do.

    All raise TryAgain when the world was not ready and Refused when the server said no for good.
    """

    def create(self, run: Run, assistant: Assistant, tools: Sequence[ToolDefinition]) -> Handle:
        """Start the run upstream and return where it lives."""

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


_RUN_APIS: Mapping[str, RunApi] = {"responses": responses}


def run_api(name: str) -> RunApi:
    """The run API of that name."""
    return _RUN_APIS[name]
