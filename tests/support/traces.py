"""A run with everything that a trace can show, and traces as a receiver reads them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from support.fakes.clock import START
from support.fakes.run_repository import InMemoryRunRepository
from support.run_records import NEXT_UPSTREAM_RUN, UPSTREAM_RUN, new_run
from upcall.domain.open_calls import CallAnswer, OpenCall
from upcall.domain.run import Run
from upcall.domain.run_log import LogEntry
from upcall.domain.tool_calls import Decision, LedgerEntry, ToolCall, ToolOutput
from upcall.domain.upstream_run import Message
from upcall.domain.usage import Usage

FETCH = ToolCall(call_id="call_a", name="fetch", arguments='{"url": "https://example.com/"}')
REFUND = ToolCall(call_id="call_b", name="refund", arguments='{"amount": 150}')
LOOKUP = ToolCall(call_id="call_c", name="lookup", arguments='{"order": 4711}')

FIRST_TURN = Usage(input_tokens=100, output_tokens=20, total_tokens=120, usd=0.001)
SECOND_TURN = Usage(
    input_tokens=200,
    cached_tokens=100,
    cache_write_tokens=3,
    output_tokens=50,
    reasoning_tokens=30,
    total_tokens=250,
    usd=0.002,
)


def at(seconds: float) -> datetime:
    """So many seconds after the run was created."""
    return START + timedelta(seconds=seconds)


def complete_run_with_calls(repository: InMemoryRunRepository, **fields: Any) -> Run:
    """A completed run of two turns.

    In its round `fetch` runs from 3 to 4 s, `refund` waits for an approval from 3 to 63 s and then runs for
    half a second, and `lookup` is answered by the caller after 30 s. The run ends after 70 s.
    """
    run = repository.add_run(new_run(**fields))
    repository.record_creation(run, UPSTREAM_RUN, "polled")
    approval = Decision(
        decision="approve",
        arguments_digest=REFUND.arguments_digest,
        decided_by="ann",
        decided_at=at(63),
    )
    found = ToolOutput(call_id="call_c", outcome="ok", output="42", waited_seconds=30)
    waits = [
        (open_call(2, REFUND, "approval"), CallAnswer(decision=approval, answered_at=at(63))),
        (open_call(3, LOOKUP, "output"), CallAnswer(output=found, answered_at=at(33))),
    ]
    for call, answer in waits:
        repository.open_call(run, call)
        repository.answer_call(run, call, answer)
    repository.record_round(
        run,
        NEXT_UPSTREAM_RUN,
        [
            entry(1, FETCH, ran(FETCH, "ok", "A page.", at(3), 1000)),
            entry(2, REFUND, ran(REFUND, "ok", "Paid.", at(63), 500, waited_seconds=60), approval),
            entry(3, LOOKUP, found),
        ],
        FIRST_TURN,
    )
    run = repository.get_run(run.run_id)
    return repository.complete_run(run, Message(text="Done.", usage=SECOND_TURN), at(70))


def open_call(position: int, call: ToolCall, waits_for: str, since: float = 3) -> OpenCall:
    """A call of the first round that waits, for an hour at most."""
    return OpenCall.model_validate(
        {
            "round": 1,
            "position": position,
            "call": call,
            "waits_for": waits_for,
            "max_output_bytes": 2000,
            "since": at(since),
            "until": at(since + 3600),
            "task_token": "token",
        }
    )


def entry(
    position: int, call: ToolCall, output: ToolOutput, decision: Decision | None = None, round_number: int = 1
) -> LedgerEntry:
    """A call of a round and its output."""
    return LedgerEntry(round=round_number, position=position, call=call, output=output, decision=decision)


def ran(
    call: ToolCall, outcome: str, output: str, started_at: datetime, duration_ms: int, **fields: Any
) -> ToolOutput:
    """The output of a function that ran."""
    return ToolOutput.model_validate(
        {
            "call_id": call.call_id,
            "outcome": outcome,
            "output": output,
            "started_at": started_at,
            "duration_ms": duration_ms,
            **fields,
        }
    )


def logged(kind: str, seconds: float, **fields: Any) -> LogEntry:
    """An entry of a run's log, so many seconds after the run was created."""
    return LogEntry.model_validate({"at": at(seconds), "type": kind, **fields})


LOG = (
    logged("run.queued", 0, attempt=1),
    logged("run.in_progress", 1),
    logged("run.requires_action", 2.5, round=1),
    logged("tool_call.waiting", 3),
    logged("round.ended", 64, round=1, usage=FIRST_TURN),
    logged("run.in_progress", 64.5),
    logged("message.saved", 70),
    logged("run.completed", 70, usage=FIRST_TURN + SECOND_TURN),
)
"""Those of the run above."""


class FakeSpanSender:
    """Keeps what is sent. `error` is raised, `rejected` is how many spans the receiver rejects."""

    def __init__(self) -> None:
        self.requests: list[Mapping[str, Any]] = []
        self.error: Exception | None = None
        self.rejected = 0

    def __call__(self, request: Mapping[str, Any], /) -> int:
        """See SpanSender."""
        if self.error:
            raise self.error
        self.requests.append(request)
        return self.rejected


def spans_of(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The spans in a request, with their attributes as a dictionary."""
    (resource,) = request["resourceSpans"]
    (scope,) = resource["scopeSpans"]
    return [{**span, "attributes": attributes_of(span)} for span in scope["spans"]]


def attributes_of(encoded: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a span or a resource."""
    return {each["key"]: _value(each["value"]) for each in encoded["attributes"]}


def _value(encoded: Mapping[str, Any]) -> Any:
    ((kind, value),) = encoded.items()
    return int(value) if kind == "intValue" else value


def tree(spans: Sequence[Mapping[str, Any]]) -> list[tuple[str, float, float]]:
    """Name, start and end of each span in seconds after START; children are indented below their parents."""
    children: dict[str | None, list[Mapping[str, Any]]] = {}
    ids = {span["spanId"] for span in spans}
    for span in spans:
        parent = span.get("parentSpanId")
        children.setdefault(parent if parent in ids else None, []).append(span)

    def walk(parent: str | None, indent: str) -> list[tuple[str, float, float]]:
        found = []
        for span in sorted(children.get(parent, []), key=lambda each: int(each["startTimeUnixNano"])):
            times = [
                (int(span[name]) - int(START.timestamp()) * 10**9) / 10**9
                for name in ("startTimeUnixNano", "endTimeUnixNano")
            ]
            found.append((f"{indent}{span['name']}", times[0], times[1]))
            found += walk(span["spanId"], f"{indent}  ")
        return found

    return walk(None, "")
