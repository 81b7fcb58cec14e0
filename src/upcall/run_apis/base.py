"""The protocol that every run API implements, as a module with these functions."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from upcall.domain.assistants import Assistant
from upcall.domain.errors import FieldError
from upcall.domain.message_text import TextDelta
from upcall.domain.rate_limit import ServerLimits
from upcall.domain.run import Run
from upcall.domain.tool_calls import LedgerEntry, ToolDefinition
from upcall.domain.upstream_run import Message, UpstreamRun, UpstreamSnapshot


@dataclass(frozen=True)
class UpstreamRequest:
    """What a turn of a run is requested with."""

    run: Run
    assistant: Assistant
    tools: Sequence[ToolDefinition]

    @property
    def instructions(self) -> str:
        """The run's own instructions, or those of its assistant."""
        return self.run.instructions or self.assistant.instructions


MIN_REQUEST_SECONDS = 1.0
"""Even if no time is left: a request needs some time to succeed at all."""

CANCEL_SECONDS = 5.0
"""For the requests that cancel a run: a caller, or the run's record, waits for them."""

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Let all requests of this thread end after so many seconds, whatever the server does."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


class ObservedLimits:
    """What the newest response to a POST says of the server's rate limits; None without a response."""

    newest: ServerLimits | None = None


_observed: ContextVar[ObservedLimits | None] = ContextVar("observed", default=None)


@contextmanager
def observe_server_limits() -> Iterator[ObservedLimits]:
    """Collect what the responses to this thread's POSTs say of the server's rate limits.

    The last POST of a creation or a submission is the one that starts a turn.
    """
    observed = ObservedLimits()
    token = _observed.set(observed)
    try:
        yield observed
    finally:
        _observed.reset(token)


def record_server_limits(limits: ServerLimits) -> None:
    """Hand on what a response says of the server's rate limits to whoever observes them."""
    if observed := _observed.get():
        observed.newest = limits


def request_seconds(default: float) -> float:
    """The time-out of a request: the default, or what `time_limit` leaves of it."""
    deadline = _deadline.get()
    if deadline is None:
        return default
    return min(default, max(deadline - time.monotonic(), MIN_REQUEST_SECONDS))


class RunApi(Protocol):
    """What Upcall asks of an OpenAI protocol.

    Every method that calls the server raises TransientError if it may be repeated, and RequestRejected if
    not.
    """

    def unsupported_field(self, run: Run, /) -> FieldError | None:
        """The field of a new run that this protocol does not support; None if there is none. No request."""

    def has_completion_window(self) -> bool:
        """Whether a run can name the time within which each turn must be done. No request."""

    def can_resume_after_tool_calls(self) -> bool:
        """Whether a run that has called tools can be retried with their outputs. No request."""

    def can_repeat_after_tool_calls(self) -> bool:
        """Whether `repeat` after tool calls leads to the same turn, which makes none again. No request."""

    def conversation_to_retry_in(self, run: Run, /) -> UpstreamRun | None:
        """The conversation that another attempt at a run continues; None for a new one. No request."""

    def prepare(self, request: UpstreamRequest, /) -> UpstreamRun:
        """What must be known before the run is created. It is recorded first, as the run's intent.

        With it a second try finds what the first try has created. Starts nothing that calls tools.
        """

    def create(
        self, request: UpstreamRequest, intent: UpstreamRun, answered_calls: Sequence[LedgerEntry], /
    ) -> UpstreamRun:
        """Start the run, in the conversation of `run.previous_upstream_run` if there is one.

        `answered_calls` are the tool calls of an earlier attempt, which the model must know of.
        """

    def repeat(
        self, request: UpstreamRequest, failed: UpstreamRun, answered_calls: Sequence[LedgerEntry], /
    ) -> UpstreamRun:
        """Request the newest turn again, which failed. Returns where the run lives from now on.

        `answered_calls` are all tool calls of the run so far.
        """

    def poll(self, upstream_run: UpstreamRun, /) -> UpstreamSnapshot:
        """The status of the run, with the tool calls that it waits for or its failure."""

    def stream_text(
        self, upstream_run: UpstreamRun, after: int | None, seconds: float, /
    ) -> Iterator[TextDelta]:
        """What the model writes in the newest turn, as it comes, for at most so many seconds.

        `after` is the position in the turn's stream that is known already. Ends early if the turn or the
        connection ends.
        """

    def submit(
        self, request: UpstreamRequest, upstream_run: UpstreamRun, answers: Sequence[LedgerEntry], /
    ) -> UpstreamRun:
        """Submit the outputs of all calls of the round after `run.round`.

        Returns where the run lives from now on.
        """

    def get_message(self, run: Run, upstream_run: UpstreamRun, /) -> Message:
        """The final message of a completed run, or what an incomplete run has of it."""

    def webhook_id(self, upstream_run: UpstreamRun, /) -> str | None:
        """The id that OpenAI's webhooks name when this run changes; None if they tell of none. No request."""

    def cancel(self, upstream_run: UpstreamRun, /) -> None:
        """Stop the run. One that has ended, or does not exist any more, is left as it is."""
