"""The tables and the plot of the benchmark of waiting."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from bench.waiting.delays import Delay
from bench.waiting.usage import RunCost, cost_parts, dollars

BASELINE = "create_and_poll"
"""The mode whose delay others are compared with."""

RUNS = 1000
"""Costs are those of so many runs."""

COLOURS = ("#27a", "#e80", "#595", "#a4a", "#999")
LEFT, ROW_HEIGHT, BAR_WIDTH = 270, 22, 520


def print_delays(console: Console, delays: Sequence[Delay]) -> None:
    """Print a row for each length and mode, with the ratio to the baseline of the same length."""
    table = Table(box=box.MARKDOWN)
    for heading in (
        "turns of about, s",
        "way",
        "added, s",
        "per wait, s",
        "ratio",
        "noticed after, s",
        "0 s model, s",
    ):
        table.add_column(heading, justify="left" if heading == "way" else "right")
    for length, delay in by_length(delays):
        table.add_row(
            str(length),
            delay.mode,
            f"{delay.added:.2f}",
            f"{delay.per_wait:.2f}",
            f"{ratio(delay, delays):.2f}",
            f"{delay.noticed:.2f}",
            f"{delay.overhead:.2f}",
        )
    console.print(table)


def print_costs(console: Console, costs: Sequence[RunCost], ratio_to: str) -> None:
    """Print a row for each way to execute the reference run, in dollars per 1,000 runs."""
    baseline = next(dollars(cost.usage) for cost in costs if cost.name == ratio_to)
    table = Table(box=box.MARKDOWN)
    for heading in (
        *("way", "transitions", "operations", "invocations", "function s", "GB s", "writes", "reads"),
        *("HTTP requests", "events", "$ per 1,000", "ratio"),
    ):
        table.add_column(heading, justify="left" if heading == "way" else "right")
    for cost in costs:
        usage = cost.usage
        table.add_row(
            cost.name,
            str(usage.transitions),
            str(usage.durable_operations),
            str(usage.invocations),
            f"{usage.function_seconds:.2f}",
            f"{usage.gb_seconds:.2f}",
            str(usage.write_units),
            f"{usage.read_units:g}",
            str(usage.http_requests),
            str(usage.events),
            f"{RUNS * dollars(usage):.3f}",
            f"{dollars(usage) / baseline:.2f}",
        )
    console.print(table)


def by_length(delays: Sequence[Delay]) -> Iterator[tuple[int, Delay]]:
    """The delays in the order of their lengths."""
    for length in sorted({delay.length for delay in delays}):
        yield from ((length, delay) for delay in delays if delay.length == length)


def ratio(delay: Delay, delays: Sequence[Delay]) -> float:
    """A delay as a ratio to that of the baseline with turns of the same length."""
    return delay.added / next(
        each.added for each in delays if (each.mode, each.length) == (BASELINE, delay.length)
    )


def draw_svg(delays: Sequence[Delay], costs: Sequence[RunCost]) -> str:
    """Bars of the delay per wait, one for each mode and length, and of the cost by what it is for."""
    delay_rows, cost_rows = list(_delay_rows(delays)), list(_cost_rows(costs))
    top = 30 + ROW_HEIGHT * len(delay_rows) + 40
    height = top + ROW_HEIGHT * len(cost_rows) + 10
    modes = dict.fromkeys(delay.mode for delay in delays)
    parts = dict.fromkeys(name for cost in costs for name in cost_parts(cost.usage))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + BAR_WIDTH + 70}" height="{height}" '
            'font-family="sans-serif" font-size="13">',
            '<rect width="100%" height="100%" fill="white"/>',
            f'<text x="10" y="18">Seconds added to each wait: {_legend([*modes])}</text>',
            *_bars(delay_rows, 30),
            f'<text x="10" y="{top - 12}">Dollars per 1,000 runs: {_legend([*parts])}</text>',
            *_bars(cost_rows, top),
            "</svg>\n",
        ]
    )


Row = tuple[str, Sequence[tuple[str, float]], str]
"""A label, the parts of a bar with their colours, and the text behind it."""


def _delay_rows(delays: Sequence[Delay]) -> Iterator[Row]:
    colours = dict(zip(dict.fromkeys(delay.mode for delay in delays), COLOURS, strict=False))
    for length, delay in by_length(delays):
        seconds = max(delay.per_wait, 0)
        yield f"turns of {length} s", [(colours[delay.mode], seconds)], f"{delay.per_wait:.2f}"


def _cost_rows(costs: Sequence[RunCost]) -> Iterator[Row]:
    for cost in costs:
        values = [RUNS * value for value in cost_parts(cost.usage).values()]
        yield cost.name, list(zip(COLOURS, values, strict=False)), f"{sum(values):.2f}"


def _bars(rows: Sequence[Row], top: int) -> Iterator[str]:
    longest = max(sum(value for _, value in values) for _, values, _ in rows) or 1
    previous = ""
    for number, (label, values, text) in enumerate(rows):
        x, y = float(LEFT), top + ROW_HEIGHT * number
        if label != previous:
            yield f'<text x="{LEFT - 8}" y="{y + 13}" text-anchor="end">{label}</text>'
        previous = label
        for colour, value in values:
            width = BAR_WIDTH * value / longest
            yield f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="17" fill="{colour}"/>'
            x += width
        yield f'<text x="{x + 6:.0f}" y="{y + 13}">{text}</text>'


def _legend(names: Sequence[str]) -> str:
    return " ".join(
        f'<tspan fill="{colour}">■</tspan> {name}' for name, colour in zip(names, COLOURS, strict=False)
    )
