"""The limits of a run, and whether it has exceeded them. The only place where that is decided."""

from typing import Annotated

from pydantic import Field

from upcall.domain.failure import Failure
from upcall.domain.model import Model
from upcall.domain.state_budget import max_calls_bytes
from upcall.domain.upstream_errors import NO_ERRORS, UpstreamErrors

MAX_CALLS_PER_ROUND = 100
"""Whatever a run's limits say: the outputs of more calls have no room in the workflow's state."""

MAX_CALLS = 600
"""Of all rounds together. The longest execution stays below 20,000 history events; 25,000 are allowed."""

MAX_SECONDS = 43_200

DEFAULT_ANSWER_SECONDS = 259_200
"""Three days."""

MAX_ANSWER_SECONDS = 31_104_000
"""360 days. An execution of a workflow may take a year (AWS quota)."""

Rounds = Annotated[int, Field(ge=0, le=50, description="How often the model may ask for tools.")]
CallsPerRound = Annotated[
    int, Field(ge=1, le=MAX_CALLS_PER_ROUND, description="How many tools it may ask for at once.")
]
Seconds = Annotated[
    int,
    Field(
        ge=1,
        le=MAX_SECONDS,
        description="How long a run may take, without the time that it waits for people or its caller.",
    ),
]
AnswerSeconds = Annotated[
    int,
    Field(
        ge=1,
        le=MAX_ANSWER_SECONDS,
        description="How long a call may wait for an approval, or for an output of the run's caller.",
    ),
]
Tokens = Annotated[
    int,
    Field(ge=1, le=20_000_000, description="Tokens, read and written, after which no tool is called."),
]


MIN_USD = 0.000001
"""No limit is lower. The table does not take the smallest numbers that JSON has."""

Usd = Annotated[
    float,
    Field(
        ge=MIN_USD,
        le=10_000,
        allow_inf_nan=False,
        description="Dollars that the model may cost, after which no tool is called.",
    ),
]


class Limits(Model):
    """Where a run is stopped."""

    rounds: Rounds = 10
    calls_per_round: CallsPerRound = 50
    seconds: Seconds = 900
    answer_seconds: AnswerSeconds = DEFAULT_ANSWER_SECONDS
    tokens: Tokens = 1_000_000
    usd: Usd | None = None


class LimitsRequest(Model):
    """Limits of one run that replace the assistant's. The same maxima hold."""

    rounds: Rounds | None = None
    calls_per_round: CallsPerRound | None = None
    seconds: Seconds | None = None
    answer_seconds: AnswerSeconds | None = None
    tokens: Tokens | None = None
    usd: Usd | None = None


class Counters(Model):
    """What a run has used so far, and (`requested_…`) the tool calls that it asks for now."""

    seconds: float = 0
    rounds: int = 0
    tool_calls: int = 0
    tokens: int = 0
    usd: float | None = None
    requested_calls: int = 0
    requested_bytes: int = 0
    errors: UpstreamErrors = NO_ERRORS


def exceeded(limits: Limits, counters: Counters) -> Failure | None:
    """The limit that a run has exceeded, as the failure that it ends with; None if there is none.

    Time counts always. The other limits count when the model asks for tools: a run that is about to complete
    may.
    """
    calls = counters.requested_calls
    if counters.seconds >= limits.seconds:
        message = f"The run was not done after {limits.seconds} seconds."
        if counters.errors.last:
            message += f" The last error of the server: {counters.errors.last}"
        return _limit("seconds", message)
    if not calls:
        return None
    if counters.rounds >= limits.rounds:
        return _limit("rounds", f"The model asked for tools again after {limits.rounds} rounds.")
    if calls > limits.calls_per_round:
        allowed = limits.calls_per_round
        return _limit("calls_per_round", f"The model asked for {calls} tools at once; {allowed} are allowed.")
    if counters.requested_bytes > (max_bytes := max_calls_bytes(calls)):
        message = (
            f"The model's {calls} calls take {counters.requested_bytes:,} bytes; {max_bytes:,} are allowed."
        )
        return _limit("call_bytes", message)
    if counters.tool_calls + calls > MAX_CALLS:
        message = (
            f"The model asked for {calls} tools after {counters.tool_calls} calls; {MAX_CALLS} are allowed."
        )
        return _limit("calls", message)
    if counters.tokens >= limits.tokens:
        message = (
            f"The model asked for tools again after {counters.tokens} tokens; {limits.tokens} are allowed."
        )
        return _limit("tokens", message)
    if limits.usd is not None and (counters.usd is None or counters.usd >= limits.usd):
        cost = "an unknown cost" if counters.usd is None else f"{counters.usd:.6f} $"
        message = f"The model asked for tools again after {cost}; {limits.usd:.6f} $ are allowed."
        return _limit("usd", message)
    return None


def _limit(name: str, message: str) -> Failure:
    return Failure(code=f"limit_{name}", message=message)
