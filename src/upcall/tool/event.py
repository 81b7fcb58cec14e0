"""A call of a tool, as the tool's function gets it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from upcall.domain.model import Model
from upcall.domain.tool_calls import arguments_digest


class ToolEvent(Model):
    """What the workflow sends to a tool's function.

    Round and position identify the call within its run. `call_id` is the server's and is only returned with
    the output. `arguments` is the model's own text.

    `approval` is the assistant's rule for this tool, if it has one. A call that was approved has the digest
    of the arguments that were approved, and how long it waited for that.
    """

    run_id: str
    round: int
    position: int
    call_id: str
    arguments: str
    max_output_bytes: int
    approval: str | None = None
    approved_digest: str | None = None
    waited_seconds: int | None = None

    @property
    def key(self) -> str:
        """The same for every try of this call, and for no other call of the run.

        Arguments are part of it, because another attempt at a run may make other calls in the same round.
        """
        return f"{self.round}_{self.position}_{arguments_digest(self.arguments)[:16]}"


def current_call() -> ToolEvent | None:
    """The call that a tool is running, for the ids in it; None outside of one."""
    return _current_call.get()


@contextmanager
def running(call: ToolEvent) -> Iterator[None]:
    """Let `current_call` return this call."""
    token = _current_call.set(call)
    try:
        yield
    finally:
        _current_call.reset(token)


_current_call: ContextVar[ToolEvent | None] = ContextVar("current_call", default=None)
