"""Python functions as the tools of a run's caller: their definitions, and the outputs of their calls."""

import json
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from upcall.domain.answers import GivenOutput
from upcall.domain.approval import REQUIRED
from upcall.domain.caller_tools import CallerTool
from upcall.domain.errors import ToolError
from upcall.domain.tool_calls import ToolOutput
from upcall.domain.validation import field_errors
from upcall.domain.views import OpenCallView
from upcall.tool.event import ToolEvent
from upcall.tool.typed_function import OutputBuilder, TypedFunction

Function = Callable[..., Any] | TypedFunction
"""A typed function with a docstring, or what `upcall.tool.tool` has made of one."""


@dataclass(frozen=True)
class FunctionResult:
    """What a function returned for a call, as the API takes it.

    `exception` is what the function raised, unless it was a ToolError: the model does not learn of it.
    """

    call: OpenCallView
    output: GivenOutput
    duration_ms: int = 0
    exception: BaseException | None = None


class CallerFunctions:
    """Functions that answer the calls of their names.

    They are described to the model, called and guarded as `upcall.tool.tool` does it on Lambda: arguments are
    validated, a ToolError is for the model, of any other exception the model learns only that the function
    failed, and an output is cut to the maximum. There is no time-out, and nothing of a call is recorded, so
    an effect of "once" means once in this process. While a function runs, `upcall.tool.current_call()` has
    the ids of the call.

    Raises TypeError for a function that cannot be described to a model or needs an approval, and for two of
    one name.
    """

    def __init__(self, functions: Iterable[Function] = ()) -> None:
        self._functions: dict[str, TypedFunction] = {}
        self.definitions: list[CallerTool] = []
        for function in functions:
            typed = function if isinstance(function, TypedFunction) else TypedFunction(function)
            definition = _caller_tool(typed)
            if definition.name in self._functions:
                raise TypeError(f"there are two functions {definition.name}")
            self._functions[definition.name] = typed
            self.definitions.append(definition)

    def can_answer(self, call: OpenCallView) -> bool:
        """Whether the call waits for an output that one of the functions gives."""
        return call.waits_for == "output" and call.name in self._functions

    def answer(self, run_id: str, call: OpenCallView) -> FunctionResult:
        """The result of a call. A function runs at most once for a call of a run in this process.

        The same call again gets the same result, also in another thread, until `forget_run`.
        """
        round_, _, position = call.id.partition("-")
        event = ToolEvent(
            run_id=run_id,
            round=int(round_),
            position=int(position),
            call_id=call.call_id,
            arguments=call.arguments,
            max_output_bytes=call.max_output_bytes,
        )
        function = self._functions[call.name]
        return _results.get(run_id, f"{call.name}_{event.key}", lambda: _run(function, event, call))


def forget_run(run_id: str) -> None:
    """Forget the results of a run, which has ended."""
    _results.forget(run_id)


class _Results:
    """The results of calls, so that none is made twice."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[str, dict[str, Future[FunctionResult]]] = {}

    def get(self, run_id: str, key: str, make: Callable[[], FunctionResult]) -> FunctionResult:
        """The result of that key. The first caller makes it, and others wait for it."""
        with self._lock:
            calls = self._runs.setdefault(run_id, {})
            known = calls.get(key)
            future = calls.setdefault(key, Future())
        if known is None:
            future.set_result(make())
        return future.result()

    def forget(self, run_id: str) -> None:
        """Forget a run."""
        with self._lock:
            self._runs.pop(run_id, None)


_results = _Results()


def _run(function: TypedFunction, event: ToolEvent, call: OpenCallView) -> FunctionResult:
    exceptions: list[BaseException] = []
    outputs = OutputBuilder(event)
    try:
        output = function.run(event, function.arguments.parse(event.arguments), outputs, exceptions.append)
    except ToolError as error:
        output = outputs.error(str(error))
    except KeyboardInterrupt as error:
        exceptions.append(error)
        output = outputs.unknown("it was interrupted")
    exception = exceptions[0] if exceptions else None
    return FunctionResult(call, _given_output(call, output), output.duration_ms, exception)


def _given_output(call: OpenCallView, output: ToolOutput) -> GivenOutput:
    """The output under the call's id in the run: the server's own may come again."""
    if output.outcome == "ok":
        return GivenOutput(call_id=call.id, output=output.output)
    return GivenOutput(call_id=call.id, error=json.loads(output.output)["error"])


def _caller_tool(function: TypedFunction) -> CallerTool:
    definition = function.definition
    if function.approval == REQUIRED:
        raise TypeError(f"{definition.name} needs an approval, which only tools of a stack can have")
    try:
        return CallerTool.model_validate(definition.model_dump())
    except ValidationError as error:
        reasons = "; ".join(f"{each.field}: {each.reason}" for each in field_errors(error))
        raise TypeError(f"{definition.name}: {reasons}") from error
