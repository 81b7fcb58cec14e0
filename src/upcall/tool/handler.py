"""A tool: its definition for the model, and the handler of its Lambda."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, Protocol

from pydantic import ValidationError

from upcall.domain.approval import REQUIRED, needs_approval
from upcall.domain.errors import ApprovalRequired, OutcomeUnknown, ToolError
from upcall.domain.output_text import error_text
from upcall.domain.tool_calls import ToolOutput, arguments_digest
from upcall.domain.validation import field_errors
from upcall.observability import metrics
from upcall.observability.logging import log_context, logger
from upcall.timeout import TimedOut, run_with_timeout
from upcall.tool.event import ToolEvent
from upcall.tool.idempotency import call_at_most_once
from upcall.tool.typed_function import Approval, OutputBuilder, TypedFunction

Effect = Literal["pure", "once"]
Reads = Literal["public", "stack"]

TIMEOUT_MARGIN_SECONDS = 1.0
"""How long before Lambda's own time-out a tool is given up, so that the model gets an answer."""

DEFAULT_MAX_OUTPUT_BYTES = 1024
"""Of the output for an event that does not give a maximum."""


class LambdaContext(Protocol):
    """What a tool uses of Lambda's context."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda's time-out."""


class Tool(TypedFunction):
    """A function as a tool: its definition for the model, and the handler of its Lambda."""

    def __init__(
        self, function: Callable[..., Any], effect: Effect, reads: Reads, approval: Approval
    ) -> None:
        super().__init__(function, approval)
        self.effect = effect
        self.reads = reads

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
        outputs = OutputBuilder(call)
        with log_context(run_id=call.run_id, call_id=call.call_id, tool=name):
            try:
                arguments = self.arguments.parse(call.arguments)
                if not self._may_run(call, arguments):
                    logger.info("approval required")
                    raise ApprovalRequired(f"a call of {name} needs an approval")
                run = partial(self.run, call, arguments, outputs, _log_exception)
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
        return not needs_approval(call.approval, {**self.arguments.defaults, **arguments})


def _log_exception(error: BaseException) -> None:
    logger.exception("tool failed", error=type(error).__name__)


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
