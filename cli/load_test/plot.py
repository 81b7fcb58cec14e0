"""Draws finished and open runs over the time of a load test, as SVG."""

from collections.abc import Sequence

from cli.load_test.runner import RunResult

WIDTH, HEIGHT = 720, 300
LEFT, RIGHT, TOP, BOTTOM = 60, 60, 40, 40
STEPS = 240
"""The number of points of a line, less one."""


def draw_svg(results: Sequence[RunResult]) -> str:
    """Two lines, each with a scale of its own: finished runs on the left, open runs on the right."""
    seconds = max(each.ended for each in results)
    times = [seconds * step / STEPS for step in range(STEPS + 1)]
    finished = [sum(each.reached_end and each.ended <= time for each in results) for time in times]
    open_runs = [sum(each.started <= time < each.ended for each in results) for time in times]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}V{TOP}" fill="none" stroke="#999"/>',
        f'<text x="{LEFT}" y="{TOP - 14}" fill="#27a">finished</text>',
        f'<text x="{WIDTH - RIGHT}" y="{TOP - 14}" text-anchor="end" fill="#c60">open</text>',
        *_tick_labels(seconds, max(finished), max(open_runs)),
        _line(finished, "#27a"),
        _line(open_runs, "#c60"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _tick_labels(seconds: float, finished: int, open_runs: int) -> list[str]:
    """Zero, half and maximum of each scale."""
    parts = []
    for half in (0, 1, 2):
        x = LEFT + (WIDTH - LEFT - RIGHT) * half / 2
        y = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * half / 2
        parts += [
            f'<text x="{x:.0f}" y="{HEIGHT - 20}" text-anchor="middle">{seconds * half / 2:.0f} s</text>',
            f'<text x="{LEFT - 8}" y="{y + 4:.0f}" text-anchor="end">{finished * half // 2:,}</text>',
            f'<text x="{WIDTH - RIGHT + 8}" y="{y + 4:.0f}">{open_runs * half // 2:,}</text>',
        ]
    return parts


def _line(values: Sequence[int], colour: str) -> str:
    maximum = max(*values, 1)
    x_unit, y_unit = (WIDTH - LEFT - RIGHT) / STEPS, (HEIGHT - TOP - BOTTOM) / maximum
    points = (
        f"{LEFT + n * x_unit:.1f},{HEIGHT - BOTTOM - value * y_unit:.1f}" for n, value in enumerate(values)
    )
    return f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="2"/>'
