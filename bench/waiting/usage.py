"""What a run used of AWS, and what that costs."""

from collections.abc import Mapping
from dataclasses import dataclass

from upcall.domain import aws_prices as prices

RETENTION_MONTHS = 14 / 30
"""Lambda's default for the data of a durable execution."""

GIGABYTE = 2**30


@dataclass(frozen=True)
class Usage:
    """What a run used. `invocations` are those of functions, `function_seconds` their time."""

    transitions: int = 0
    durable_operations: int = 0
    durable_bytes: int = 0
    invocations: int = 0
    function_seconds: float = 0
    gb_seconds: float = 0
    write_units: int = 0
    read_units: float = 0
    http_requests: int = 0
    events: int = 0


@dataclass(frozen=True)
class RunCost:
    """A way to execute the reference run: what it used, and how long it took."""

    name: str
    usage: Usage
    seconds: float


def cost_parts(usage: Usage) -> Mapping[str, float]:
    """The cost of a run in dollars, by what it is for."""
    data_price = prices.DURABLE_GB_WRITTEN + prices.DURABLE_GB_MONTH * RETENTION_MONTHS
    return {
        "state transitions": usage.transitions * prices.STATE_TRANSITION,
        "durable operations": usage.durable_operations * prices.DURABLE_OPERATION
        + usage.durable_bytes / GIGABYTE * data_price,
        "functions": usage.gb_seconds * prices.LAMBDA_GB_SECOND_ARM64
        + usage.invocations * prices.LAMBDA_REQUEST,
        "table": usage.write_units * prices.DYNAMODB_WRITE_UNIT
        + usage.read_units * prices.DYNAMODB_READ_UNIT,
        "API and events": usage.http_requests * prices.HTTP_API_REQUEST
        + usage.events * prices.EVENTBRIDGE_EVENT,
    }


def dollars(usage: Usage) -> float:
    """The cost of a run."""
    return sum(cost_parts(usage).values())
