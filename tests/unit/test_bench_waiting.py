"""The arithmetic of the benchmark of waiting. `make bench-waiting` measures."""

from io import StringIO
from typing import IO

import pytest
from rich.console import Console

from bench.waiting.delays import Delay, TimedRun, compute_delays
from bench.waiting.durable import durable_usage
from bench.waiting.report import draw_svg, print_costs, print_delays, ratio
from bench.waiting.timed_emulator import seconds_until_poll
from bench.waiting.usage import RunCost, Usage, cost_parts, dollars
from upcall.domain import aws_prices as prices

POLLING, SDK = "Upcall, polling", "create_and_poll"


def timed_run(seconds: float, *turn_seconds: float, noticed: float = 0, mode: str = POLLING) -> TimedRun:
    return TimedRun(mode, turn_seconds, seconds, [noticed] * len(turn_seconds))


def delay(mode: str, length: int, added: float) -> Delay:
    return Delay(mode, length, rest=added, overhead=0, waits=2, noticed=0)


def test_what_a_run_without_thinking_takes_is_not_a_delay() -> None:
    without_thinking = [timed_run(seconds, 0, 0) for seconds in (0.2, 0.3, 9)]

    (found,) = compute_delays([*without_thinking, timed_run(4.3, 1.25, 1.75)])

    assert found.overhead == 0.3
    assert found.added == pytest.approx(4.3 - 3 - 0.3)
    assert found.per_wait == pytest.approx(found.added / 2)


def test_a_delay_is_the_mean_of_the_runs_of_one_mode_and_length() -> None:
    runs = [timed_run(0, 0, 0), timed_run(3, 1.1, 1.6, noticed=0.1), timed_run(4, 1.3, 1.8, noticed=0.3)]
    others = [timed_run(0, 0, 0, mode=SDK), timed_run(9, 1.1, 1.6, mode=SDK), timed_run(9, 3.1, 3.6)]

    found = compute_delays([*runs, *others])

    assert [(each.mode, each.length) for each in found] == [(POLLING, 1), (POLLING, 3), (SDK, 1)]
    assert found[0].added == pytest.approx((3 - 2.7 + 4 - 3.1) / 2)
    assert found[0].noticed == pytest.approx(0.2)


def test_a_ratio_is_to_the_baseline_with_turns_of_the_same_length() -> None:
    delays = [delay(SDK, 1, 1.0), delay(SDK, 3, 2.0), delay(POLLING, 3, 0.5)]

    assert ratio(delays[2], delays) == 0.25


@pytest.mark.parametrize(
    ("polls", "expected"),
    [([1, 9, 12, 11], 1), ([10], 0), ([], 0), ([9], 0)],
    ids=["the first poll after the end", "at the end", "no poll", "polls before the end alone"],
)
def test_an_end_is_noticed_by_the_first_poll_after_it(polls: list[float], expected: float) -> None:
    assert seconds_until_poll(10, polls) == expected


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (Usage(transitions=26), 0.00065),
        (Usage(durable_operations=13), 0.000104),
        (Usage(durable_bytes=2**30), prices.DURABLE_GB_WRITTEN + prices.DURABLE_GB_MONTH * 14 / 30),
        (Usage(gb_seconds=15, invocations=11), 0.0002022),
        (Usage(write_units=24, read_units=8), 0.000016),
        (Usage(http_requests=2, events=1), 0.000003),
    ],
    ids=["transitions", "durable operations", "durable data", "functions", "table", "API and events"],
)
def test_each_thing_that_a_run_uses_has_its_price(usage: Usage, expected: float) -> None:
    assert dollars(usage) == pytest.approx(expected, rel=1e-4)
    assert sum(value > 0 for value in cost_parts(usage).values()) == 1


def test_operations_of_a_durable_function_are_counted_as_lambda_meters_them() -> None:
    """A wait for a callback is a context, a callback and a step. Only its end is an operation of a context."""
    events = [
        ("ExecutionStarted", 100),
        *(("ContextStarted", 0), ("CallbackStarted", 0), ("StepStarted", 0), ("StepSucceeded", 4)),
        *(("InvocationCompleted", 0), ("CallbackSucceeded", 300), ("ContextSucceeded", 300)),
        ("ExecutionSucceeded", 20),
    ]

    usage = durable_usage({"events": events, "invocations": [0.5, 1.5], "http_requests": 3}, 2, 1.5)

    assert usage == Usage(
        durable_operations=4,
        durable_bytes=724,
        invocations=2,
        function_seconds=2,
        gb_seconds=0.5,
        write_units=2,
        read_units=1.5,
        http_requests=3,
    )


def test_tables_and_plot_have_a_line_for_each_way() -> None:
    console = Console(width=170, file=StringIO())
    delays = [delay(SDK, 1, 1.0), delay(POLLING, 1, 0.5)]
    costs = [
        RunCost("state machine", Usage(transitions=160), 60),
        RunCost(POLLING, Usage(transitions=20), 60),
    ]

    print_delays(console, delays)
    print_costs(console, costs, POLLING)
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in _lines(console.file)]

    assert [row for row in cells if POLLING in row[1:2]] == [
        ["1", POLLING, "0.50", "0.25", "0.50", "0.00", "0.00"]
    ]
    assert [(row[0], *row[-2:]) for row in cells if row[0] in ("state machine", POLLING)] == [
        ("state machine", "4.000", "8.00"),
        (POLLING, "0.500", "1.00"),
    ]
    plot = draw_svg(delays, costs)
    assert plot.count("turns of 1 s") == 1
    assert ">4.00</text>" in plot


def _lines(file: IO[str]) -> list[str]:
    """The rows of the tables in a file."""
    file.seek(0)
    return [line for line in file if line.startswith("|")]
