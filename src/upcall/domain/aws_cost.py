"""What a run has cost on AWS: an estimate from its record.

`upcall run` knows the history of the execution and the ledger, and estimates more closely (`cli/cost.py`).
"""

from math import ceil
from typing import Final

from upcall.domain import aws_prices as prices
from upcall.domain.message_text import PIECE_SECONDS
from upcall.domain.run import Run

FUNCTION_GB: Final = 0.25
TOOL_GB: Final = 0.5

SHORT_INVOCATION_SECONDS: Final = 0.25
"""Of a function that does not wait for the model."""

HTTP_REQUESTS: Final = 2
"""One starts the run, one reads its message."""

CALL_WRITES: Final = 6
"""Write units of a call in the ledger. Its output may have as many kilobytes as the server takes."""

READS: Final = 10


def estimate_aws_usd(run: Run) -> float | None:
    """Dollars for a run that has ended, without free tiers; None before it has ended.

    A function polls while the model works, unless webhooks tell of changes. The time in which calls waited
    for people or for the run's caller costs nothing. A streamed run is taken to be written all the time that
    a function polled; who reads its pieces is not known.
    """
    if run.ended_at is None:
        return None
    tool_seconds = run.tool_ms / 1000
    elapsed = (run.ended_at - run.created_at).total_seconds()
    polling = 0.0 if run.updates == "pushed" else max(0.0, elapsed - run.waited_seconds - tool_seconds)
    webhooks = count_webhooks(run)
    invocations = 3 + run.round + run.tool_calls + HTTP_REQUESTS + webhooks
    short_seconds = (invocations - run.tool_calls) * SHORT_INVOCATION_SECONDS
    gb_seconds = (polling + short_seconds) * FUNCTION_GB + tool_seconds * TOOL_GB
    transitions = 3 + 3 * run.round + run.tool_calls + 2 * int(polling / 60)
    record_units = ceil(len(run.model_dump_json(exclude_none=True)) / 1024)
    writes = record_units * (5 + 2 * run.round) + 8 + 2 * run.round + CALL_WRITES * run.tool_calls + 2
    if run.stream:
        writes += ceil(polling / PIECE_SECONDS)
    dollars = (
        transitions * prices.STATE_TRANSITION
        + gb_seconds * prices.LAMBDA_GB_SECOND_ARM64
        + invocations * prices.LAMBDA_REQUEST
        + writes * prices.DYNAMODB_WRITE_UNIT
        + (READS + run.round) * prices.DYNAMODB_READ_UNIT
        + (HTTP_REQUESTS + webhooks) * prices.HTTP_API_REQUEST
        + prices.EVENTBRIDGE_EVENT
    )
    return round(dollars, 7)


def count_webhooks(run: Run) -> int:
    """Webhooks of a run that waits for them: one for each turn of the model."""
    return run.round + 1 if run.updates == "pushed" else 0
