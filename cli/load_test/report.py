"""The report of a load test: its metrics, and how they are printed."""

import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from cli.load_test.audit import AuditResult
from cli.load_test.config import LoadTestConfig
from cli.load_test.rate_limits import RateLimitReport
from cli.load_test.runner import RunResult
from cli.load_test.webhooks import WebhookReport

MAX_PRINTED_FINDINGS = 10
"""Of lost runs, and of duplicates."""


@dataclass(frozen=True)
class LoadTestReport:
    """The metrics of a load test. Times are in seconds; a run's latency is from its POST to its end.

    `statuses` counts runs by status, `failure_codes` failed runs by code. `requests`, `faults` and `turns` of
    the model are those of the emulator. There may be more turns than needed, because a request is repeated if
    its response was lost. `webhooks` is None if the runs were polled, `rate_limits` if there were none.
    """

    runs: int
    concurrency: int
    seconds: float
    statuses: Mapping[str, int]
    failure_codes: Mapping[str, int]
    lost: Sequence[str]
    duplicates: Sequence[str]
    runs_per_second: float
    latency: Mapping[str, float]
    peak_megabytes: int
    requests: int
    faults: Mapping[str, int]
    turns: int
    webhooks: WebhookReport | None = None
    rate_limits: RateLimitReport | None = None

    @property
    def passed(self) -> bool:
        """Whether no run was lost, nothing is duplicate, and no forged webhook was accepted."""
        return not self.lost and not self.duplicates and (self.webhooks is None or self.webhooks.passed)


def build_report(
    config: LoadTestConfig,
    results: Sequence[RunResult],
    audit: AuditResult,
    *,
    peak_megabytes: int,
    requests: int,
    faults: Mapping[str, int],
    turns: int,
    webhooks: WebhookReport | None = None,
    rate_limits: RateLimitReport | None = None,
) -> LoadTestReport:
    """The report on these results."""
    seconds = max(each.ended for each in results)
    runs = [each.run for each in results if each.run is not None]
    return LoadTestReport(
        runs=config.runs,
        concurrency=config.concurrency,
        seconds=round(seconds, 1),
        statuses=dict(Counter(run.status for run in runs)),
        failure_codes=dict(Counter(run.failure.code for run in runs if run.failure is not None)),
        lost=audit.lost,
        duplicates=audit.duplicates,
        runs_per_second=round(sum(each.reached_end for each in results) / seconds, 2),
        latency=percentiles([each.ended - each.started for each in results if each.reached_end]),
        peak_megabytes=peak_megabytes,
        requests=requests,
        faults=dict(sorted(faults.items())),
        turns=turns,
        webhooks=webhooks,
        rate_limits=rate_limits,
    )


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99; empty if there are no values."""
    if not seconds:
        return {}
    values = seconds if len(seconds) > 1 else [*seconds, *seconds]  # quantiles() needs two values
    quantiles = statistics.quantiles(values, n=100, method="inclusive")
    return {f"p{rank}": round(quantiles[rank - 1], 2) for rank in (50, 95, 99)}


@contextmanager
def progress_bar(err: Console, runs: int) -> Iterator[Callable[[RunResult], None]]:
    """A bar of the runs that have ended, advanced by the function that it yields. Only on a terminal."""
    columns = (TextColumn("runs"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal, transient=True) as bar:
        task = bar.add_task("runs", total=runs)
        yield lambda _: bar.advance(task)


def print_report(out: Console, report: LoadTestReport) -> None:
    """Print the metrics, and the first findings of the audit."""
    counts = {"completed": report.statuses.get("completed", 0)}
    counts |= {status: count for status, count in sorted(report.statuses.items()) if status != "completed"}
    counts |= {"lost": len(report.lost), "duplicates": len(report.duplicates)}
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_row("runs", f"{report.runs:,}, {report.concurrency:,} at once, in {report.seconds:,.1f} s")
    for name, count in counts.items():
        bad = count and name != "completed"
        table.add_row(name, f"{count:,}", style="red" if bad else None)
    if report.failure_codes:
        table.add_row("failure codes", _join(report.failure_codes))
    table.add_row("throughput", f"{report.runs_per_second:.2f} runs per second")
    table.add_row("latency", ", ".join(f"{name} {value:.1f} s" for name, value in report.latency.items()))
    table.add_row("peak memory", f"{report.peak_megabytes:,} MB")
    faults = sum(report.faults.values())
    table.add_row("emulator", f"{report.requests:,} requests, {faults:,} faults, {report.turns:,} turns")
    if report.faults:
        table.add_row("faults", _join(report.faults))
    if limits := report.rate_limits:
        share = f"{limits.refused:,} refused ({limits.refused_share:.1%})"
        table.add_row("rate limits", f"{limits.sent:,} requests for turns, {share}")
    if report.webhooks is not None:
        _add_webhook_rows(table, report.webhooks)
    out.print(table)
    for name, findings in (("lost", report.lost), ("duplicate", report.duplicates)):
        for finding in findings[:MAX_PRINTED_FINDINGS]:
            out.print(f"{name}: {finding}", style="red", soft_wrap=True, markup=False)


def _add_webhook_rows(table: Table, webhooks: WebhookReport) -> None:
    pushed = f"{webhooks.pushed:,} runs, {webhooks.completed_tasks:,} tasks completed by webhooks"
    table.add_row("pushed", pushed)
    table.add_row("webhooks", f"{webhooks.sent:,}, of them {_join(webhooks.faults)}")
    table.add_row("responses", _join(_status_names(webhooks.statuses)))
    forged = f"{_join(_status_names(webhooks.forged_statuses))}; RejectedWebhooks {webhooks.rejected:,}"
    table.add_row("to forged", forged, style=None if webhooks.passed else "red")


def _status_names(statuses: Mapping[int, int]) -> dict[str, int]:
    return {str(status or "no response"): count for status, count in statuses.items()}


def _join(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} x {name}" for name, count in counts.items())
