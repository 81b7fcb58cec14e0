"""The simulation of many runs, at small sizes, and its document."""

import re
from collections.abc import Sequence
from dataclasses import astuple, replace

import pytest

from bench.scale.__main__ import DOCS, RESULTS
from bench.scale.arrivals import DAY_SECONDS, burst, day_curve
from bench.scale.quotas import DEFAULTS, QUOTA_SETS, Quota
from bench.scale.report import insert, tables
from bench.scale.run_model import MEASURED, RunModel
from bench.scale.scenarios import load
from bench.scale.simulation import Result, Simulation

RAISED = QUOTA_SETS["raised, tier 5"]
POLLED, PUSHED = RunModel(pushed=False), RunModel(pushed=True)


def simulate(
    arrivals: Sequence[float], model: RunModel = POLLED, group: int = 1, **limits: tuple[float, float | None]
) -> Result:
    """Simulate with the raised quotas, but for these limits and buckets."""
    changed = {
        name: replace(RAISED[name], limit=limit, bucket=size) for name, (limit, size) in limits.items()
    }
    return Simulation({**RAISED, **changed}, model, group).run(arrivals)


@pytest.mark.parametrize("quota", DEFAULTS.values(), ids=list(DEFAULTS))
def test_every_quota_has_a_source_and_a_date(quota: Quota) -> None:
    in_project = (DOCS.parent / quota.source).is_file()
    assert in_project or quota.source.startswith("https://")
    assert re.fullmatch(r"20\d\d-\d\d", quota.checked)
    assert quota.limit > 0


@pytest.mark.parametrize("updates", MEASURED)
def test_what_a_run_uses_is_what_the_benchmark_measured(updates: str) -> None:
    way = {"polled": "Upcall, polling", "pushed": "Upcall, webhooks"}[updates]
    row = next(
        line for line in (DOCS / "benchmarks.md").read_text("utf-8").splitlines() if f"| {way} | 11" in line
    )
    usage = MEASURED[updates]

    cells = [float(cell) for cell in row.split("|")[2:11]]

    assert cells == [usage.transitions, usage.durable_operations, *astuple(usage)[3:]]


@pytest.mark.parametrize("model", [POLLED, PUSHED], ids=["polled", "pushed"])
def test_a_run_that_nothing_throttles_uses_what_was_measured(model: RunModel) -> None:
    result = simulate([0.0] * 20, model)

    measured = model.measured
    assert result.completed == 20
    assert not result.throttled
    assert result.usage.transitions == 20 * measured.transitions
    assert result.usage.invocations == 20 * measured.invocations
    assert result.usage.write_units == 20 * measured.write_units
    assert result.usage.http_requests == 20 * measured.http_requests
    assert result.usage.function_seconds == pytest.approx(20 * measured.function_seconds, rel=0.2)


@pytest.mark.parametrize("model", [POLLED, PUSHED], ids=["polled", "pushed"])
@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"lambda_concurrency": (10, None)},
        {"openai_requests": (1, 10)},
        {"start_execution": (1, 1)},
        {"webhook_requests": (1, 1)},
    ],
    ids=lambda limits: next(iter(limits), "no limit"),
)
def test_every_run_ends_once(model: RunModel, limits: dict[str, tuple[float, float | None]]) -> None:
    result = simulate(burst(200, 1), model, **limits)  # type: ignore[arg-type]

    assert result.completed + result.failed.total() == result.runs == 200
    assert len(result.latencies) == result.completed
    assert set(result.throttled) <= {*limits} or not limits


def test_functions_that_wait_for_models_fill_the_concurrency_and_webhooks_do_not() -> None:
    limits: dict[str, tuple[float, float | None]] = {"lambda_concurrency": (50, None)}

    polled, pushed = (simulate(burst(200, 1), model, 1, **limits) for model in (POLLED, PUSHED))

    assert polled.first is not None
    assert polled.first[0] == "lambda_concurrency"
    assert pushed.peaks["lambda_concurrency"] < 50


def test_the_seventh_429_in_a_row_fails_a_run() -> None:
    result = simulate([0.0], openai_requests=(1e-9, 0))

    assert result.failed == {"upstream_error": 1}
    assert result.throttled == {"openai_requests": 7}


def test_the_callers_of_starts_that_are_throttled_try_again() -> None:
    result = simulate([0.0] * 30, start_execution=(1, 1))

    assert result.completed == 30
    assert result.usage.http_requests > 30 * POLLED.measured.http_requests


def test_the_same_seed_gives_the_same_result() -> None:
    first, second = (simulate(burst(100, 3), lambda_concurrency=(20, None)) for _ in range(2))

    assert first == second


def test_groups_of_runs_use_as_much_as_single_runs() -> None:
    single, grouped = (simulate(burst(1000, 1), PUSHED, group) for group in (1, 10))

    assert grouped.completed == single.completed == 1000
    assert grouped.usage.transitions == single.usage.transitions
    assert grouped.latency(0.5) == pytest.approx(single.latency(0.5), rel=0.05)


def test_most_runs_of_a_day_arrive_in_the_afternoon() -> None:
    times = day_curve(10_000, 0)

    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] < DAY_SECONDS
    busiest = sum(13 * 3600 <= time < 15 * 3600 for time in times)
    assert busiest / 10_000 == pytest.approx(1.8 * 2 / 24, rel=0.1)


def test_the_document_has_the_tables_of_the_results() -> None:
    document = (DOCS / "scale.md").read_text("utf-8")

    assert insert(document, tables(*load(RESULTS))) == document


def test_a_document_without_a_place_for_a_table_is_an_error() -> None:
    with pytest.raises(ValueError, match="no place for the table quotas"):
        insert("", {"quotas": "| |"})
