"""The spans of a run's tool calls, and of the approvals that they wait for."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, Protocol

from upcall.domain.model_turns import Attempt, call_times
from upcall.domain.open_calls import OpenCall
from upcall.domain.run import Run
from upcall.domain.span import Attributes, Span
from upcall.domain.tool_calls import LedgerEntry, ToolCall
from upcall.domain.trace_content import TraceContent

MAX_NAME_CHARACTERS: Final = 128
"""Of a tool in a trace. The model writes the names of the tools that it calls."""

_OUTCOMES: Final = {"error": "tool_error", "unknown": "outcome_unknown"}
"""The type of a call's error, by the outcome in the ledger."""


class MakeSpan(Protocol):
    """Makes a span below that of the run. The seed identifies it in the run."""

    def __call__(self, seed: str, **fields: object) -> Span:
        """Make a span with these fields."""


def call_spans(
    run: Run,
    attempt: Attempt,
    ledger: Sequence[LedgerEntry],
    open_calls: Sequence[OpenCall],
    content: TraceContent,
    make_span: MakeSpan,
) -> Iterator[Span]:
    """The calls of the ledger, then those that waited for an answer when the run ended."""
    waited = {call.id: call for call in open_calls}
    asked = {turn.number: turn.end for turn in attempt.turns}
    end = run.ended_at or attempt.start
    for entry in ledger:
        open_call = waited.pop(entry.id, None)
        if open_call and open_call.waits_for == "approval":
            yield _approval(open_call, end, make_span)
        at = asked.get(entry.round, attempt.start)
        yield _call(entry, open_call, at, content, make_span)
    for open_call in waited.values():  # the run ended before their round did
        if open_call.waits_for == "approval":
            yield _approval(open_call, end, make_span)
        else:
            times = _waiting_times(open_call, end)
            error_type = None if open_call.answer else "unanswered"
            yield _tool_span(open_call.id, open_call.call, times, error_type, True, {}, make_span)


def _approval(open_call: OpenCall, end: datetime, make_span: MakeSpan) -> Span:
    decision = open_call.answer.decision if open_call.answer else None
    decided = {"upcall.approval.decision": decision.decision} if decision else {}
    start, end = _waiting_times(open_call, end)
    return make_span(
        f"approval {open_call.id}",
        name=f"approval {_tool_name(open_call.call)}",
        start=start,
        end=end,
        attributes={**_call_attributes(open_call.id, open_call.call), **decided},
        error_type=None if decision else "timeout" if open_call.answer else "unanswered",
    )


def _call(
    entry: LedgerEntry,
    open_call: OpenCall | None,
    asked: datetime,
    content: TraceContent,
    make_span: MakeSpan,
) -> Span:
    """A call that has its output. `asked` is when the model asked for it."""
    by_caller = open_call is not None and open_call.waits_for == "output"
    at = asked
    if open_call and open_call.answer:
        at = open_call.answer.answered_at
    # one that was denied, or whose tool does not exist, has taken no time
    times = _waiting_times(open_call, at) if open_call and by_caller else call_times(entry) or (at, at)
    error_type = _error_type(entry, open_call)
    return _tool_span(entry.id, entry.call, times, error_type, by_caller, content.of_call(entry), make_span)


def _error_type(entry: LedgerEntry, open_call: OpenCall | None) -> str | None:
    if entry.decision and entry.decision.decision == "deny":
        return "approval_denied"
    answer = open_call.answer if open_call else None
    if open_call and answer and answer.decision is None and answer.answered_at >= open_call.until:
        return "timeout"
    return _OUTCOMES.get(entry.output.outcome)


def _tool_span(
    call_id: str,
    call: ToolCall,
    times: tuple[datetime, datetime],
    error_type: str | None,
    by_caller: bool,
    content: Attributes,
    make_span: MakeSpan,
) -> Span:
    return make_span(
        f"call {call_id}",
        name=f"execute_tool {_tool_name(call)}",
        start=times[0],
        end=times[1],
        attributes={
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.type": "function",
            **_call_attributes(call_id, call),
            "upcall.call.by_caller": by_caller,
            **content,
        },
        error_type=error_type,
    )


def _call_attributes(call_id: str, call: ToolCall) -> Attributes:
    return {
        "gen_ai.tool.name": _tool_name(call),
        "gen_ai.tool.call.id": call.call_id,
        "upcall.call.id": call_id,
    }


def _waiting_times(open_call: OpenCall, end: datetime) -> tuple[datetime, datetime]:
    return open_call.since, open_call.answer.answered_at if open_call.answer else end


def _tool_name(call: ToolCall) -> str:
    return call.name[:MAX_NAME_CHARACTERS]
