"""The table and the plot of cold starts."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from bench.cpu_limit import share_of

BASELINE = "the OpenAI client alone"
MAX_RATIO = 1.2


@dataclass(frozen=True)
class ColdStart:
    """Seconds of processor time, and of time, of init and of the first request.

    The processor time of the request contains that of processes that the function starts; `used_mb` is the
    most memory that its own process had in use. `limited` says whether the request had a share of a core.
    """

    function: str
    memory_mb: int
    bytecode: bool
    limited: bool
    init_cpu: float
    init_wall: float
    request_cpu: float
    request_wall: float
    used_mb: float


@dataclass(frozen=True)
class Row:
    """The medians of a function, in seconds and MB. `at_share`: of the request, at its share of a core."""

    init: float
    request: float
    init_wall: float
    request_wall: float
    at_share: float
    used_mb: float

    @property
    def total(self) -> float:
        """The processor time of init and the first request."""
        return self.init + self.request


def summarize(cold_starts: Sequence[ColdStart], function: str, *, bytecode: bool) -> Row:
    """The medians of one function. Init has a whole core in all measurements, limited or not.

    A time at a share that was not measured is computed.
    """
    found = [each for each in cold_starts if each.function == function and each.bytecode == bytecode]
    full = [each for each in found if not each.limited]
    limited = [each for each in found if each.limited]
    request = statistics.median(each.request_cpu for each in found)
    return Row(
        init=statistics.median(each.init_cpu for each in found),
        request=request,
        init_wall=statistics.median(each.init_wall for each in found),
        request_wall=statistics.median(each.request_wall for each in full),
        at_share=statistics.median(each.request_wall for each in limited)
        if limited
        else request / share_of(found[0].memory_mb),
        used_mb=statistics.median(each.used_mb for each in found),
    )


def print_table(cold_starts: Sequence[ColdStart], version: str) -> None:
    """Print the medians with bytecode; the last three columns are without."""
    console = Console(width=170)
    console.print(f"Cold starts with {version}", highlight=False)
    table = Table(box=None)
    for heading in (
        *("function", "MB", "MB used"),
        *("init: cpu ms", "ms", "request: cpu ms", "ms", "ms at its share", "ratio"),
        *("no bytecode: init cpu ms", "request: cpu ms", "ms at its share"),
    ):
        table.add_column(heading, justify="left" if heading == "function" else "right")
    baseline = summarize(cold_starts, BASELINE, bytecode=True).total
    for function in functions(cold_starts):
        row = summarize(cold_starts, function, bytecode=True)
        before = summarize(cold_starts, function, bytecode=False)
        memory = next(each.memory_mb for each in cold_starts if each.function == function)
        seconds = (row.init, row.init_wall, row.request, row.request_wall, row.at_share)
        table.add_row(
            function,
            str(memory),
            f"{row.used_mb:.0f}",
            *(f"{1000 * each:.0f}" for each in seconds),
            f"{row.total / baseline:.2f}",
            *(f"{1000 * each:.0f}" for each in (before.init, before.request, before.at_share)),
        )
    console.print(table)


def draw_svg(cold_starts: Sequence[ColdStart]) -> str:
    """The processor time of each function as a ratio to the baseline: init, and the first request behind it.

    The outline is the same without bytecode; the dashed line is the goal.
    """
    unit, left, row_height = 110, 230, 24
    names = functions(cold_starts)
    height = row_height * len(names) + 44
    baseline = summarize(cold_starts, BASELINE, bytecode=True).total
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="860" height="{height}" '
        'font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{left}" y="18"><tspan fill="#27a">■</tspan> init '
        '<tspan fill="#e80">■</tspan> first request <tspan fill="#999">□</tspan> both without bytecode; '
        "processor time as a ratio to the first line</text>",
    ]
    for number, name in enumerate(names):
        row = summarize(cold_starts, name, bytecode=True)
        before = summarize(cold_starts, name, bytecode=False)
        init, request = unit * row.init / baseline, unit * row.request / baseline
        outline, y = unit * before.total / baseline, row_height * number + 30
        parts += [
            f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{name}</text>',
            f'<rect x="{left}" y="{y}" width="{init:.0f}" height="18" fill="#27a"/>',
            f'<rect x="{left + init:.0f}" y="{y}" width="{request:.0f}" height="18" fill="#e80"/>',
            f'<rect x="{left}" y="{y}" width="{outline:.0f}" height="18" fill="none" stroke="#999"/>',
            f'<text x="{left + max(outline, init + request) + 6:.0f}" y="{y + 14}">'
            f"{row.total / baseline:.2f}</text>",
        ]
    goal = left + unit * MAX_RATIO
    parts.append(f'<path d="M{goal:.0f} 26V{height - 8}" stroke="#c33" stroke-dasharray="4"/></svg>')
    return "\n".join(parts) + "\n"


def functions(cold_starts: Sequence[ColdStart]) -> list[str]:
    """The baseline and the functions, in the order in which a run invokes them."""
    return list(dict.fromkeys(each.function for each in cold_starts))
