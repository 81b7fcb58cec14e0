"""A tool: its definition for the model, and the handler of its Lambda."""

import inspect
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal, Protocol

from pydantic import ValidationError

from upcall.domain.approval import REQUIRED, needs_approval
from upcall.domain.errors import ApprovalRequired, OutcomeUnknown, ToolError
from upcall.domain.model import Model
from upcall.domain.output_text import error_text
from upcall.domain.tool_calls import ToolDefinition, ToolOutput, arguments_digest
from upcall.domain.validation import field_errors
from upcall.observability import metrics
from upcall.observability.logging import log_context, logger
from upcall.timeout import TimedOut, run_with_timeout
from upcall.tool.arguments import Arguments
from upcall.tool.idempotency import call_at_most_once
from upcall.tool.output import text_of

Effect = Literal["pure", "once"]
Reads = Literal["public", "stack"]
Approval = Literal["by assistant", "required"]

TIMEOUT_MARGIN_SECONDS = 1.0
"""How long before Lambda's own time-out a tool is given up, so that the model gets an answer."""

DEFAULT_MAX_OUTPUT_BYTES = 1024
"""Of the output for an event that does not give a maximum."""


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


class LambdaContext(Protocol):
    """What a tool uses of Lambda's context."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda's time-out."""


class Tool:
    """A function as a tool: its definition for the model, and the handler of its Lambda."""

    def __init__(
        self, function: Callable[..., Any], effect: Effect, reads: Reads, approval: Approval
    ) -> None:
        description = inspect.getdoc(function)
        if not description:
            raise TypeError(f"{function.__name__} has no docstring; the model needs it as the description")
        self.function = function
        self.effect = effect
        self.reads = reads
        self.approval = approval
        self._arguments = Arguments(function)
        self.definition = ToolDefinition(
            name=function.__name__, description=description, parameters=self._arguments.schema
        )

    def __call__(self, event: Mapping[str, Any], context: LambdaContext | None = None) -> dict[str, Any]:
        """Run one call. Every error becomes an output that the model reads.

        Raises ApprovalRequired before it runs a call that a person must approve and has not approved, and
        TransientError if the table that an effect of "once" needs cannot be reached.
        """
        try:
            call = ToolEvent.model_validate(event)
        except ValidationError as error:
            logger.error("invalid tool event", fields=[each.field for each in field_errors(error)])
            return _invalid_event_output(event).model_dump(mode="json")
        name = self.definition.name
        seconds = _seconds_left(context)
        outputs = _OutputBuilder(call)
        with log_context(run_id=call.run_id, call_id=call.call_id, tool=name):
            try:
                arguments = self._arguments.parse(call.arguments)
                if not self._may_run(call, arguments):
                    logger.info("approval required")
                    raise ApprovalRequired(f"a call of {name} needs an approval")
                run = partial(self._run, call, arguments, outputs)
                if self.effect == "once":
                    run = partial(call_at_most_once, call.run_id, f"{name}_{call.key}", run)
                output = run_with_timeout(seconds, run)
            except ToolError as error:
                output = outputs.error(str(error))
            except OutcomeUnknown as error:
                output = outputs.unknown(str(error))
            except TimedOut:
                message = f"{name} was not done after {seconds:.1f} seconds"
                output = outputs.unknown(message) if self.effect == "once" else outputs.error(message)
            logger.info(
                "tool call",
                outcome=output.outcome,
                duration_ms=output.duration_ms,
                output_bytes=len(output.output.encode()),
            )
            logger.debug("tool call in full", arguments=call.arguments, output=output.output)
            metrics.record_tool_call(name, output.outcome, output.duration_ms)
        return output.model_dump(mode="json")

    def _may_run(self, call: ToolEvent, arguments: Mapping[str, Any]) -> bool:
        """Whether nobody has to approve the call, or somebody has approved exactly these arguments."""
        if call.approved_digest is not None:
            return call.approved_digest == arguments_digest(call.arguments)
        if self.approval == REQUIRED:
            return False
        if call.approval is None:
            return True
        return not needs_approval(call.approval, {**self._arguments.defaults, **arguments})

    def _run(self, call: ToolEvent, arguments: Mapping[str, Any], outputs: "_OutputBuilder") -> ToolOutput:
        token = _current_call.set(call)
        try:
            return outputs.ok(text_of(self.function(**arguments), call.max_output_bytes))
        except ToolError as error:
            return outputs.error(str(error))
        except OutcomeUnknown as error:
            return outputs.unknown(str(error))
        except (Exception, SystemExit) as error:  # whatever a tool raises, the run goes on
            logger.exception("tool failed", error=type(error).__name__)
            return outputs.error(f"{self.definition.name} failed for a reason of its own")
        finally:
            _current_call.reset(token)


class _OutputBuilder:
    """Makes the output of one call, with the time since the event came in."""

    def __init__(self, call: ToolEvent) -> None:
        self._call = call
        self._started_at = datetime.now(UTC)
        self._start = time.monotonic()

    def ok(self, text: str) -> ToolOutput:
        return self._build("ok", text)

    def error(self, message: str) -> ToolOutput:
        return self._build("error", error_text(message, self._call.max_output_bytes))

    def unknown(self, reason: str) -> ToolOutput:
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


def tool(
    function: Callable[..., Any],
    *,
    effect: Effect = "pure",
    reads: Reads = "public",
    approval: Approval = "by assistant",
) -> Tool:
    """Make a tool of a function: `lambda_handler = tool(fetch)`.

    The model sees the function's name, docstring and signature, so every parameter needs a type. Raise
    ToolError to tell the model something. Any other exception is logged, and the model learns only that the
    tool failed. The result is a string, or anything that pydantic can write as JSON. A result with a method
    `truncate_to` (see Truncatable) shortens itself to the maximum.

    `effect` says what repeating a call means. "pure" may be repeated. "once" (sends, pays, writes) runs at
    most once per run and call; if a call was interrupted, the model is told that its outcome is unknown.

    `reads` says whose data the tool returns: "public" what everybody may see, "stack" what belongs to the
    stack, such as its inbox. In a stack of many tenants only runs started by events may use the latter.

    `approval` says when a person must approve a call before it runs: "required" always, "by assistant" if the
    assistant's table `[approval]` says so.

    Raises TypeError for a function that cannot be described to a model.
    """
    return Tool(function, effect, reads, approval)


def current_call() -> ToolEvent | None:
    """The call that a tool is running, for the ids in it; None outside of one."""
    return _current_call.get()


_current_call: ContextVar[ToolEvent | None] = ContextVar("current_call", default=None)


def _seconds_left(context: LambdaContext | None) -> float | None:
    if context is None:
        return None
    left = context.get_remaining_time_in_millis() / 1000
    return max(left - TIMEOUT_MARGIN_SECONDS, left / 2)


def _invalid_event_output(event: object) -> ToolOutput:
    """The output for an event that is no tool call: a model may be waiting for it."""
    call_id = event.get("call_id") if isinstance(event, Mapping) else None
    return ToolOutput(
        call_id=call_id if isinstance(call_id, str) and call_id.isprintable() else "",
        outcome="error",
        output=error_text("the tool was called with an invalid event", DEFAULT_MAX_OUTPUT_BYTES),
    )
