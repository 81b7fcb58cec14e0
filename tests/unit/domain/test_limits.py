import pytest
from pydantic import ValidationError

from upcall.domain.failure import Failure
from upcall.domain.limits import MAX_CALLS, Counters, Limits, LimitsRequest, exceeded
from upcall.domain.state_budget import max_calls_bytes
from upcall.domain.upstream_errors import UpstreamErrors

LIMITS = Limits(rounds=3, calls_per_round=5, seconds=60, tokens=1000)


@pytest.mark.parametrize(
    ("counters", "failure"),
    [
        (
            Counters(seconds=60),
            Failure(code="limit_seconds", message="The run was not done after 60 seconds."),
        ),
        (
            Counters(rounds=3, requested_calls=1),
            Failure(code="limit_rounds", message="The model asked for tools again after 3 rounds."),
        ),
        (
            Counters(requested_calls=6),
            Failure(
                code="limit_calls_per_round", message="The model asked for 6 tools at once; 5 are allowed."
            ),
        ),
        (
            Counters(requested_calls=1, requested_bytes=243_713),
            Failure(
                code="limit_call_bytes",
                message="The model's 1 calls take 243,713 bytes; 243,712 are allowed.",
            ),
        ),
        (
            Counters(tool_calls=598, requested_calls=3),
            Failure(
                code="limit_calls", message="The model asked for 3 tools after 598 calls; 600 are allowed."
            ),
        ),
        (
            Counters(tokens=1000, requested_calls=1),
            Failure(
                code="limit_tokens",
                message="The model asked for tools again after 1000 tokens; 1000 are allowed.",
            ),
        ),
    ],
)
def test_each_limit_ends_the_run_as_failed_with_its_own_code_and_message(
    counters: Counters, failure: Failure
) -> None:
    assert exceeded(LIMITS, counters) == failure
    assert failure.status == "failed"


@pytest.mark.parametrize(
    "counters",
    [
        Counters(),
        Counters(seconds=59.999),
        Counters(rounds=2, requested_calls=1),
        Counters(requested_calls=5),
        Counters(requested_calls=5, requested_bytes=max_calls_bytes(5)),
        Counters(tool_calls=MAX_CALLS - 5, requested_calls=5),
        Counters(tokens=999, requested_calls=1),
    ],
)
def test_a_run_may_come_up_to_each_limit(counters: Counters) -> None:
    assert exceeded(LIMITS, counters) is None


def test_a_run_that_asks_for_no_tools_is_bounded_by_time_only() -> None:
    counters = Counters(
        seconds=59, rounds=99, tool_calls=MAX_CALLS + 99, tokens=99_999, requested_bytes=10**9
    )

    assert exceeded(LIMITS, counters) is None
    assert exceeded(LIMITS, counters.model_copy(update={"seconds": 60})) is not None


def test_the_first_exceeded_limit_is_reported() -> None:
    """The order: time, rounds, number and size of the requested calls, totals of calls and tokens."""
    counters = {
        "seconds": 60,
        "rounds": 3,
        "requested_calls": 6,
        "requested_bytes": 10**9,
        "tool_calls": MAX_CALLS,
        "tokens": 1000,
    }
    corrections = [
        ("limit_seconds", "seconds", 0),
        ("limit_rounds", "rounds", 0),
        ("limit_calls_per_round", "requested_calls", 5),
        ("limit_call_bytes", "requested_bytes", 0),
        ("limit_calls", "tool_calls", 0),
        ("limit_tokens", "tokens", 0),
    ]
    for code, name, within_limit in corrections:
        failure = exceeded(LIMITS, Counters.model_validate(counters))
        assert failure is not None
        assert failure.code == code
        counters[name] = within_limit
    assert exceeded(LIMITS, Counters.model_validate(counters)) is None


def test_more_calls_at_once_have_less_room() -> None:
    requested_bytes = max_calls_bytes(2) + 1

    assert exceeded(LIMITS, Counters(requested_calls=1, requested_bytes=requested_bytes)) is None
    failure = exceeded(LIMITS, Counters(requested_calls=2, requested_bytes=requested_bytes))
    assert failure is not None
    assert failure.code == "limit_call_bytes"


def test_limits_have_defaults() -> None:
    assert Limits() == Limits(rounds=10, calls_per_round=50, seconds=900, tokens=1_000_000)


@pytest.mark.parametrize("model", [Limits, LimitsRequest])
@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [("rounds", 0, 50), ("calls_per_round", 1, 100), ("seconds", 1, 43_200), ("tokens", 1, 20_000_000)],
)
def test_limits_have_a_minimum_and_a_maximum(
    model: type[Limits | LimitsRequest], name: str, lowest: int, highest: int
) -> None:
    for value in (lowest, highest):
        assert getattr(model.model_validate({name: value}), name) == value
    for value in (lowest - 1, highest + 1):
        with pytest.raises(ValidationError, match=name):
            model.model_validate({name: value})


def test_the_message_of_the_time_limit_tells_what_the_server_did() -> None:
    counters = Counters(seconds=60, errors=UpstreamErrors(count=2, last="no answer (ReadTimeout)"))

    assert exceeded(LIMITS, counters) == Failure(
        code="limit_seconds",
        message="The run was not done after 60 seconds. "
        "The last error of the server: no answer (ReadTimeout)",
    )


def test_errors_of_the_server_exceed_no_limit() -> None:
    counters = Counters(seconds=59, requested_calls=1, errors=UpstreamErrors(count=99, last="503"))

    assert exceeded(LIMITS, counters) is None


@pytest.mark.parametrize(
    ("usd", "cost"), [(0.5, "0.500000 $"), (0.75, "0.750000 $"), (None, "an unknown cost")]
)
def test_no_tool_is_called_after_the_dollars_are_used_up_or_cannot_be_counted(
    usd: float | None, cost: str
) -> None:
    failure = exceeded(Limits(usd=0.5), Counters(tokens=1, usd=usd, requested_calls=1))

    assert failure == Failure(
        code="limit_usd",
        message=f"The model asked for tools again after {cost}; 0.500000 $ are allowed.",
    )


@pytest.mark.parametrize(
    ("limits", "counters"),
    [
        (Limits(usd=0.5), Counters(usd=0.499999, requested_calls=1)),
        (Limits(usd=0.5), Counters(usd=0.75)),
        (Limits(), Counters(usd=9999, requested_calls=1)),
        (Limits(), Counters(usd=None, requested_calls=1)),
    ],
)
def test_dollars_count_when_the_model_asks_for_tools_and_a_limit_is_set(
    limits: Limits, counters: Counters
) -> None:
    assert exceeded(limits, counters) is None
