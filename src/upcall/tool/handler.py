"""A tool as the model and as Lambda see it: its definition, and the handler of its function."""

import inspect
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from pydantic import ValidationError

from upcall import metrics
from upcall.errors import OutcomeUnknown, ToolError
from upcall.field_errors import field_errors
from upcall.log import about, logger
from upcall.models import Model, ToolDefinition, ToolOutput
from upcall.timeout import TimeUp, within
from upcall.tool.arguments import Arguments
from upcall.tool.once import at_most_once
from upcall.tool.output import error_text, text_of

Effect = Literal["pure", "once"]
Reads = Literal["public", "stack"]

MARGIN_SECONDS = 1.0
"""A tool that takes too long is given up so much before Lambda would end its function."""

SMALL_ROOM = 1024
"""Bytes for the answer to an event that does not say how much room there is."""


class ToolEvent(Model):
    """What the workflow sends to a tool's function. `arguments` is the model's own text."""

    run_id: str
    call_id: str
    arguments: str
    max_output_bytes: int


class Context(Protocol):
    """What a tool reads of Lambda's context."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the function."""


class Tool:
    """A function as a tool: its definition for the model, and the handler of its Lambda."""

    def __init__(self, function: Callable[..., Any], effect: Effect, reads: Reads) -> None:
        description = inspect.getdoc(function)
        if not description:
            raise TypeError(f"{function.__name__} has no docstring, which is what the model reads of it")
        self.function = function
        self.effect = effect
        self.reads = reads
        self._arguments = Arguments(function)
        self.definition = ToolDefinition(
            name=function.__name__, description=description, parameters=self._arguments.schema
        )

    def __call__(self, event: Mapping[str, Any], context: Context | None = None) -> dict[str, Any]:
        """Handle one call. Whatever is wrong with it becomes an output that the model reads.

        Raises TryAgain alone, where the table that an effect of "once" needs cannot be reached.
        """
        try:
            call = ToolEvent.model_validate(event)
        except ValidationError as error:
            logger.error("not a tool call", fields=[each.field for each in field_errors(error)])
            return _not_a_call(event).model_dump(mode="json")
        name = self.definition.name
        with about(run_id=call.run_id, call_id=call.call_id, tool=name):
            output = self._handle(call, _seconds_left(context))
            logger.info(
                "tool call",
                outcome=output.outcome,
                duration_ms=output.duration_ms,
                output_bytes=len(output.output.encode()),
            )
            logger.debug("tool call in full", arguments=call.arguments, output=output.output)
            metrics.tool_called(name, output.outcome, output.duration_ms)
        return output.model_dump(mode="json")

    def _handle(self, call: ToolEvent, seconds: float | None) -> ToolOutput:
        answer = _Answer(call)
        token = _this_call.set(call)
        try:
            arguments = self._arguments.parse(call.arguments)
            return within(seconds, lambda: self._call(call, arguments, answer))
        except ToolError as error:
            return answer.error(str(error))
        except OutcomeUnknown as error:
            return answer.unknown(str(error))
        except TimeUp:
            words = f"{self.definition.name} was not done after {seconds:.1f} seconds"
            return answer.unknown(words) if self.effect == "once" else answer.error(words)
        finally:
            _this_call.reset(token)

    def _call(self, call: ToolEvent, arguments: Mapping[str, Any], answer: "_Answer") -> ToolOutput:
        if self.effect == "pure":
            return self._answer(call, arguments, answer)
        return at_most_once(call.run_id, call.call_id, lambda: self._answer(call, arguments, answer))

    def _answer(self, call: ToolEvent, arguments: Mapping[str, Any], answer: "_Answer") -> ToolOutput:
        try:
            return answer.ok(text_of(self.function(**arguments), call.max_output_bytes))
        except ToolError as error:
            return answer.error(str(error))
        except OutcomeUnknown as error:
            return answer.unknown(str(error))
        except (Exception, SystemExit) as error:  # the run must go on, whatever a tool does
            logger.exception("tool failed", error=type(error).__name__)
            return answer.error(f"{self.definition.name} failed for a reason of its own")


class _Answer:
    """Outputs of one call, with the time since it came in."""

    def __init__(self, call: ToolEvent) -> None:
        self._call = call
        self._started_at = datetime.now(UTC)
        self._start = time.monotonic()

    def ok(self, output: str) -> ToolOutput:
        return self._output("ok", output)

    def error(self, words: str) -> ToolOutput:
        return self._output("error", error_text(words, self._call.max_output_bytes))

    def unknown(self, words: str) -> ToolOutput:
        words = f"outcome unknown: {words}. It may have taken effect, and it will not be repeated."
        return self._output("unknown", error_text(words, self._call.max_output_bytes))

    def _output(self, outcome: Literal["ok", "error", "unknown"], output: str) -> ToolOutput:
        return ToolOutput(
            call_id=self._call.call_id,
            outcome=outcome,
            output=output,
            started_at=self._started_at,
            duration_ms=round((time.monotonic() - self._start) * 1000),
        )


def tool(function: Callable[..., Any], *, effect: Effect = "pure", reads: Reads = "public") -> Tool:
    """Make a tool of a function: `lambda_handler = tool(fetch)`.

    The function's name, docstring and signature are what the model gets to know, so every parameter
    has a type. Raise ToolError to tell the model something; any other exception is logged, and the
    model learns only that the tool failed. A result is a string, or anything that pydantic can write
    as JSON; a result that has `fit` (see Fitting) is asked to keep within the room there is.

    `effect` says what repeating a call means: "pure" may be repeated, "once" (sends, pays, writes) runs
    at most once per run and call; a call that was interrupted is reported to the model as unknown.

    `reads` says whose data come out of it: "public" what everybody may see, "stack" what is the stack's own,
    such as its inbox. Where a stack has many tenants only the runs of events get the latter.

    Raises TypeError for a function that a model cannot be told of.
    """
    return Tool(function, effect, reads)


def this_call() -> ToolEvent | None:
    """The call that a tool is answering, for ids that it may want to pass on; None outside of one."""
    return _this_call.get()


_this_call: ContextVar[ToolEvent | None] = ContextVar("this_call", default=None)


def _seconds_left(context: Context | None) -> float | None:
    if context is None:
        return None
    left = context.get_remaining_time_in_millis() / 1000
    return max(left - MARGIN_SECONDS, left / 2)


def _not_a_call(event: object) -> ToolOutput:
    """The answer to an event that is no call: there may be a model that waits for it."""
    call_id = event.get("call_id") if isinstance(event, Mapping) else None
    return ToolOutput(
        call_id=call_id if isinstance(call_id, str) and call_id.isprintable() else "",
        outcome="error",
        output=error_text("the tool was called in a form that it does not know", SMALL_ROOM),
    )
