"""What a run has cost on AWS, by its record."""

from datetime import timedelta
from typing import Any

import pytest
from support.run_records import new_run

from upcall.domain.aws_cost import estimate_aws_usd
from upcall.domain.run import Run

MINUTE = 60
DAY = 86_400


def ended_run(seconds: float, **fields: Any) -> Run:
    run = new_run()
    ended_at = run.created_at + timedelta(seconds=seconds)
    return run.model_copy(update={"status": "completed", "ended_at": ended_at, "updates": "polled", **fields})


def dollars(seconds: float, **fields: Any) -> float:
    estimate = estimate_aws_usd(ended_run(seconds, **fields))
    assert estimate is not None
    return estimate


def test_before_its_end_a_run_has_no_estimate() -> None:
    assert estimate_aws_usd(new_run()) is None


def test_the_run_of_the_operators_guide() -> None:
    """docs/operating.md lists the parts: one round, two calls of two seconds, twelve seconds of the model."""
    assert dollars(14, round=1, tool_calls=2, tool_ms=4000) == pytest.approx(0.000297, rel=0.1)


def test_a_minute_of_polling_costs_the_function_and_two_transitions() -> None:
    more = dollars(10 * MINUTE) - dollars(9 * MINUTE)

    assert more == pytest.approx(60 * 0.25 * 0.0000133334 + 2 * 0.000025, abs=2e-7)


def test_a_day_of_waiting_for_an_answer_costs_nothing() -> None:
    assert dollars(DAY + 1, waited_seconds=DAY) == dollars(1)


def test_a_day_of_waiting_for_a_webhook_costs_nothing() -> None:
    assert dollars(DAY, updates="pushed") == dollars(1, updates="pushed")


def test_a_piece_of_a_streamed_message_is_a_write() -> None:
    assert dollars(MINUTE, stream=True) - dollars(MINUTE) == pytest.approx(60 * 0.000000625)


def test_rounds_and_calls_cost_more() -> None:
    few, many = dollars(10, round=1, tool_calls=1), dollars(10, round=50, tool_calls=600)

    assert 0.01 < many - few < 0.03
