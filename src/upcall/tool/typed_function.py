"""A typed Python function that a model can call: its definition, and its calls with their outputs.

Loads neither AWS nor the logger, so that it also serves functions that run on the caller's machine.
"""

import inspect
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from upcall.domain.errors import OutcomeUnknown, ToolError
from upcall.domain.output_text import error_text
from upcall.domain.tool_calls import ToolDefinition, ToolOutput
from upcall.tool.arguments import Arguments
from upcall.tool.event import ToolEvent, running
from upcall.tool.output import text_of

Approval = Literal["by assistant", "required"]


class TypedFunction:
    """A function with its definition for the model, which is made of its name, docstring and signature.

    `approval` says when a person must approve a call (see `tool`). Raises TypeError for a function that
    cannot be described to a model.
    """

    def __init__(self, function: Callable[..., Any], approval: Approval = "by assistant") -> None:
        if not hasattr(function, "__name__"):
            raise TypeError(f"{function!r} is no function; the model needs its name")
        description = inspect.getdoc(function)
        if not description:
            raise TypeError(f"{function.__name__} has no docstring; the model needs it as the description")
        if inspect.iscoroutinefunction(function):
            raise TypeError(f"{function.__name__} is asynchronous; a tool must be a plain function")
        self.function = function
        self.approval = approval
        self.arguments = Arguments(function)
        self.definition = ToolDefinition(
            name=function.__name__, description=description, parameters=self.arguments.schema
        )

    def run(
        self,
        call: ToolEvent,
        arguments: Mapping[str, Any],
        outputs: "OutputBuilder",
        on_exception: Callable[[BaseException], None],
    ) -> ToolOutput:
        """Run a call with arguments that were parsed. Every error becomes an output that the model reads.

        `on_exception` is called, while it is handled, with an exception that the model does not learn of.
        """
        with running(call):
            try:
                return outputs.ok(text_of(self.function(**arguments), call.max_output_bytes))
            except ToolError as error:
                return outputs.error(str(error))
            except OutcomeUnknown as error:
                return outputs.unknown(str(error))
            except (Exception, SystemExit) as error:  # whatever a tool raises, the run goes on
                on_exception(error)
                return outputs.error(f"{self.definition.name} failed for a reason of its own")


class OutputBuilder:
    """Makes the output of one call, with the time since the event came in."""

    def __init__(self, call: ToolEvent) -> None:
        self._call = call
        self._started_at = datetime.now(UTC)
        self._start = time.monotonic()

    def ok(self, text: str) -> ToolOutput:
        """An output that is within the maximum."""
        return self._build("ok", text)

    def error(self, message: str) -> ToolOutput:
        """An error, cut to the maximum."""
        return self._build("error", error_text(message, self._call.max_output_bytes))

    def unknown(self, reason: str) -> ToolOutput:
        """An output that says that the call may have had its effect."""
        message = f"outcome unknown: {reason}. It may have taken effect, and it will not be repeated."
        return self._build("unknown", error_text(message, self._call.max_output_bytes))

    def _build(self, outcome: Literal["ok", "error", "unknown"], text: str) -> ToolOutput:
        return ToolOutput(
            call_id=self._call.call_id,
            outcome=outcome,
            output=text,
            started_at=self._started_at,
            duration_ms=round((time.monotonic() - self._start) * 1000),
            waited_seconds=self._call.waited_seconds,
        )
