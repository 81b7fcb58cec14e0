"""The figures of the cold start benchmark. `make bench` measures them."""

import pytest

from bench.cold_start_report import BASELINE, ColdStart, draw_svg, summarize

FUNCTION = "GetRunFunction"


def cold_start(function: str = FUNCTION, **figures: float) -> ColdStart:
    zero = {"init_cpu": 0.0, "init_wall": 0.0, "request_cpu": 0.0, "request_wall": 0.0, "used_mb": 0.0}
    defaults = {"function": function, "memory_mb": 1769, "bytecode": True, "limited": False}
    return ColdStart(**{**defaults, **zero, **figures})  # type: ignore[arg-type]


def test_figures_are_medians_of_the_measurements_with_or_without_bytecode() -> None:
    measured = [cold_start(init_cpu=seconds, used_mb=10 * seconds) for seconds in (1, 2, 9)]
    without = [cold_start(init_cpu=5, bytecode=False)]

    assert summarize([*measured, *without], FUNCTION, bytecode=True).init == 2
    assert summarize([*measured, *without], FUNCTION, bytecode=True).used_mb == 20
    assert summarize([*measured, *without], FUNCTION, bytecode=False).init == 5


def test_the_time_at_a_share_is_that_of_the_limited_measurements() -> None:
    measured = [cold_start(request_wall=0.1), cold_start(request_wall=0.7, limited=True)]

    row = summarize(measured, FUNCTION, bytecode=True)

    assert (row.request_wall, row.at_share) == (0.1, 0.7)


def test_without_a_limit_the_time_at_a_share_is_the_processor_time_by_the_share_of_the_memory() -> None:
    measured = [cold_start(request_cpu=0.1, memory_mb=256)]

    assert summarize(measured, FUNCTION, bytecode=True).at_share == pytest.approx(0.1 * 1769 / 256)


def test_the_plot_has_the_ratio_to_the_baseline() -> None:
    measured = [
        cold_start(name, init_cpu=seconds, bytecode=bytecode)
        for name, seconds in ((BASELINE, 1.0), (FUNCTION, 1.25))
        for bytecode in (True, False)
    ]

    assert f">{FUNCTION}</text>" in draw_svg(measured)
    assert ">1.25</text>" in draw_svg(measured)
