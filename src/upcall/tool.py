"""`tool()`: turns a typed Python function into something a model can call and a Lambda can run.

Name, description, strict JSON schema, validation of the arguments, mapping of errors, the cap on the
output and the Lambda handler all come from the function, which stays as it is: directly callable.
"""

import inspect
import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, Protocol, Self, get_type_hints, runtime_checkable

from aws_lambda_powertools import Logger
from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic_core import to_json

from upcall.errors import ToolError
from upcall.field_errors import field_errors
from upcall.jsontext import json_bytes, longest_prefix
from upcall.models import Model, ToolDefinition, ToolOutput
from upcall.strict_schema import strict_schema

logger = Logger()


class ToolEvent(Model):
    """What the workflow sends to a tool's function."""

    run_id: str
    call_id: str
    arguments: str
    max_output_bytes: int


@runtime_checkable
class Fitting(Protocol):
    """A result that knows how to make itself shorter without losing the way to the rest."""

    def fit(self, max_bytes: int) -> Self:
        """The same result, taking at most `max_bytes` as the text of a JSON string."""


class Tool:
    """A function as a tool: its definition for the model, and the handler of its Lambda."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self._arguments = _arguments_model(function)
        self.definition = ToolDefinition(
            name=function.__name__,
            description=inspect.getdoc(function) or "",
            parameters=strict_schema(self._arguments),
        )

    def __call__(self, event: Mapping[str, Any], _: object) -> dict[str, Any]:
        """Handle one call; whatever goes wrong becomes an output that the model reads."""
        call = ToolEvent.model_validate(event)
        started_at, start = datetime.now(UTC), time.monotonic()
        outcome, output = self._answer(call)
        duration_ms = round((time.monotonic() - start) * 1000)
        logger.info(
            "tool call",
            run_id=call.run_id,
            call_id=call.call_id,
            tool=self.definition.name,
            outcome=outcome,
            duration_ms=duration_ms,
            output_bytes=len(output.encode()),
        )
        return ToolOutput(
            call_id=call.call_id,
            outcome=outcome,
            output=output,
            started_at=started_at,
            duration_ms=duration_ms,
        ).model_dump(mode="json")

    def _answer(self, call: ToolEvent) -> tuple[Literal["ok", "error"], str]:
        try:
            result = self.function(**self._parse(call.arguments))
            return "ok", _text(result, call.max_output_bytes)
        except ToolError as error:
            words = str(error)
        except Exception:  # the run must go on, and the model must not read our internals
            logger.exception("tool failed", run_id=call.run_id, call_id=call.call_id)
            words = f"{self.definition.name} failed for a reason of its own"
        return "error", error_output(words)

    def _parse(self, arguments: str) -> dict[str, Any]:
        """The arguments as the function wants them; a null stands for a parameter's default."""
        try:
            parsed = self._arguments.model_validate_json(arguments or "{}")
        except ValidationError as error:
            reasons = "; ".join(f"{e.field}: {e.reason}" for e in field_errors(error))
            raise ToolError(f"the arguments cannot be taken: {reasons}") from error
        return {
            name: value
            for name, field in self._arguments.model_fields.items()
            if (value := getattr(parsed, name)) is not None or field.is_required()
        }


def tool(function: Callable[..., Any]) -> Tool:
    """Make a tool of a function: `lambda_handler = tool(fetch)`.

    The function's name, docstring and signature are what the model gets to know, so every parameter
    has a type. Raise ToolError to tell the model something; any other exception is logged, and the
    model learns only that the tool failed. A result is a string, or anything that pydantic can write
    as JSON; a result that has `fit` (see Fitting) is asked to keep within the room there is.
    """
    return Tool(function)


def error_output(words: str) -> str:
    """What the model reads where a tool has nothing better to say."""
    return json.dumps({"error": words}, ensure_ascii=False)


def _arguments_model(function: Callable[..., Any]) -> type[BaseModel]:
    """The function's parameters as a model; one that has a default may be null in its place."""
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {
        name: (hints[name], ...) if parameter.default is parameter.empty else (hints[name] | None, None)
        for name, parameter in inspect.signature(function).parameters.items()
    }
    return create_model(function.__name__, __config__=ConfigDict(extra="forbid"), **fields)


def _text(result: object, max_bytes: int) -> str:
    """The result as the text that the model reads, within `max_bytes` as a JSON string."""
    if isinstance(result, Fitting):
        result = result.fit(max_bytes)
    text = result if isinstance(result, str) else to_json(result).decode()
    if json_bytes(text) <= max_bytes:
        return text
    note = f"\n[cut: the whole has {len(text):,} characters]"
    return longest_prefix(text, lambda start: json_bytes(start + note) <= max_bytes) + note
