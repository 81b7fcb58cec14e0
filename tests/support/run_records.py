"""Records of runs, and values for them, for tests that need some."""

from typing import Any

from support.fakes.clock import START
from upcall.domain.caller import ANYBODY
from upcall.domain.failure import Failure
from upcall.domain.run import Run
from upcall.domain.tool_calls import ToolCall, ToolOutput
from upcall.domain.upstream_run import UpstreamRun
from upcall.domain.usage import Usage

UPSTREAM_RUN = UpstreamRun(run_api="responses", ids={"response_id": "resp_1"})
NEXT_UPSTREAM_RUN = UpstreamRun(run_api="responses", ids={"response_id": "resp_2"})
USAGE = Usage(input_tokens=1, output_tokens=2, total_tokens=3)
CALL = ToolCall(call_id="call_1", name="fetch", arguments='{"url": "https://example.com/"}')
OUTPUT = ToolOutput(call_id="call_1", outcome="ok", output="Grüße 😀", duration_ms=12)
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
