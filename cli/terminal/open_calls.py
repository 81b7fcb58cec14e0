"""A run that is followed: its progress, what its calls wait for, and what functions on this machine did."""

import shlex
import traceback
from collections.abc import Sequence

from cli.run_progress import RunProgress
from cli.terminal.live_view import LiveView
from upcall.client import (
    ApiError,
    CallerFunctions,
    FunctionResult,
    OpenCallView,
    RunEvent,
    RunObserver,
    RunView,
    TextPiece,
)
from upcall.domain.tool_calls import arguments_text


class OpenCallReporter(RunObserver):
    """Shows the progress, and a line for each call that waits and each function that runs on this machine.

    `stack` is the name or the URL of a deployed stack.
    """

    def __init__(self, view: LiveView, functions: CallerFunctions, stack: str | None = None) -> None:
        self._view = view
        self._functions = functions
        self._stack = stack
        self._progress = RunProgress()
        self._reported: set[str] = set()

    def events_happened(self, events: Sequence[RunEvent]) -> None:
        """See RunObserver."""
        self._progress.add(events)
        self._view.update(self._progress)

    def text_written(self, pieces: Sequence[TextPiece]) -> None:
        """See RunObserver."""
        self._progress.add_text(pieces)
        self._view.update(self._progress)

    def run_updated(self, run: RunView) -> None:
        """See RunObserver."""
        for call in run.open_calls:
            key = f"{run.attempt} {call.id}"
            if key not in self._reported and not self._functions.can_answer(call):
                self._reported.add(key)
                self._view.print_line(self._waiting(run.run_id, call), "yellow")

    def function_started(self, call: OpenCallView) -> None:
        """See RunObserver."""
        arguments = arguments_text(call.arguments)
        self._view.print_line(f"{call.name} {arguments}".rstrip() + " runs on this machine")

    def function_ended(self, result: FunctionResult) -> None:
        """See RunObserver."""
        if result.exception is not None:
            self._view.print_line(f"{result.call.name} raised {_describe(result.exception)}", "red")

    def output_rejected(self, result: FunctionResult, error: ApiError) -> None:
        """See RunObserver."""
        self._view.print_line(f"the output of {result.call.name} was not taken: {error}", "red")

    def _waiting(self, run_id: str, call: OpenCallView) -> str:
        until = f"{call.until.astimezone():%Y-%m-%d %H:%M}"
        if call.waits_for == "approval":
            command = f"upcall approvals approve {run_id} {call.id}"
            if self._stack:
                command += f" --stack {shlex.quote(self._stack)}"
            return f"{call.name} waits for an approval until {until}: {command}"
        return (
            f"{call.name} waits for its output until {until}, which this command does not give: "
            f"POST /runs/{run_id}/tool_outputs"
        )


def _describe(error: BaseException) -> str:
    """Type and message of an exception, and where it was raised."""
    text = f"{type(error).__name__}: {error}".rstrip(": ")
    frames = traceback.extract_tb(error.__traceback__)
    return f"{text} ({frames[-1].filename}:{frames[-1].lineno})" if frames else text
