"""Records of runs, and values for them, for tests that need some."""

from collections.abc import Iterable
from typing import Any

from support.fakes.clock import START
from upcall.domain.caller import ANYBODY
from upcall.domain.failure import Failure
from upcall.domain.limits import Counters, Limits
from upcall.domain.run import Run
from upcall.domain.tool_calls import LedgerEntry, ToolCall, ToolOutput
from upcall.domain.upstream_run import UpstreamRun
from upcall.domain.usage import Usage
from upcall.domain.waiting_task import WaitingTask

UPSTREAM_RUN = UpstreamRun(run_api="responses", ids={"response_id": "resp_1"})
NEXT_UPSTREAM_RUN = UpstreamRun(run_api="responses", ids={"response_id": "resp_2"})
USAGE = Usage(input_tokens=1, output_tokens=2, total_tokens=3)
CALL = ToolCall(call_id="call_1", name="fetch", arguments='{"url": "https://example.com/"}')
OUTPUT = ToolOutput(call_id="call_1", outcome="ok", output="Grüße 😀", duration_ms=12)
ANSWER = LedgerEntry(round=1, position=1, call=CALL, output=OUTPUT)
WAITING_TASK = WaitingTask(
    run_id="run_1",
    task_token="token",  # noqa: S106  # of a test
    upstream_run=UPSTREAM_RUN,
    limits=Limits(),
    counters=Counters(),
    since=START,
)
FAILURE = Failure(code="server_error", message="It broke.")


def new_run(**fields: Any) -> Run:
    """A queued run, with some fields changed."""
    requested: dict[str, Any] = {
        "created_at": START,
        "owner": ANYBODY,
        "prompt": "Go.",
        "assistant": "summarizer",
        "model": "m",
        "run_api": "responses",
    }
    return Run.new(**{**requested, **fields})


def answered_round(number: int, calls: Iterable[ToolCall], output: str = "x") -> list[LedgerEntry]:
    """The answers of a round, all with the same output."""
    return [
        LedgerEntry(
            round=number,
            position=position,
            call=call,
            output=ToolOutput(call_id=call.call_id, outcome="ok", output=output),
        )
        for position, call in enumerate(calls, start=1)
    ]
