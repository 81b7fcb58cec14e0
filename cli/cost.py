"""What a run would cost on AWS: an estimate, from its history and its record.

Prices of us-east-1 as AWS lists them in November 2026, in dollars. OpenAI's tokens are not in it.
"""

from collections.abc import Iterable, Mapping
from math import ceil

from cli.execution_history import Progress
from upcall.domain.run import Run
from upcall.domain.tool_calls import LedgerEntry

STATE_TRANSITION = 0.000025
LAMBDA_GB_SECOND_ARM64 = 0.0000133334
LAMBDA_REQUEST = 0.0000002
DYNAMODB_WRITE_UNIT = 0.000000625
DYNAMODB_READ_UNIT = 0.000000125
HTTP_API_REQUEST = 0.000001

HTTP_REQUESTS = 2
"""One to start the run, one to read its message."""

_INDEX = 2
"""A record is written to the table and to its index."""


def estimate(
    told: Progress,
    memory_mb: Mapping[str, int],
    run: Run,
    ledger: Iterable[LedgerEntry],
    message: str | None,
) -> float:
    """Dollars for one run: transitions, Lambda, DynamoDB, HTTP API. `memory_mb` is by function name.

    DynamoDB is counted from the sizes of what was written: the record once when it is made, created,
    ended and for each round; each tool call and each part of the message once.
    """
    gb_seconds = sum(each.seconds * memory_mb.get(each.function, 256) / 1024 for each in told.invocations)
    record = _kilobytes(run.model_dump_json())
    writes = _INDEX * record * (3 + run.round)
    writes += sum(_kilobytes(entry.model_dump_json()) for entry in ledger)
    writes += _kilobytes(message or "")
    reads = ceil(record / 4) * (3 + run.round)
    return (
        told.transitions * STATE_TRANSITION
        + gb_seconds * LAMBDA_GB_SECOND_ARM64
        + (len(told.invocations) + HTTP_REQUESTS) * LAMBDA_REQUEST
        + writes * DYNAMODB_WRITE_UNIT
        + reads * DYNAMODB_READ_UNIT
        + HTTP_REQUESTS * HTTP_API_REQUEST
    )


def _kilobytes(text: str) -> int:
    return ceil(len(text.encode()) / 1024)
