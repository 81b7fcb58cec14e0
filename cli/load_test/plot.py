"""Runs under way and runs finished over the time of a load, drawn in SVG."""

from collections.abc import Sequence

from cli.load_test.config import Sent

WIDTH, HEIGHT = 720, 300
LEFT, RIGHT, TOP, BOTTOM = 60, 60, 40, 40
STEPS = 240
"""Moments at which the lines are drawn."""


def drawing(sent: Sequence[Sent]) -> str:
    """The two lines, each with a scale of its own: finished on the left, under way on the right."""
    seconds = max(each.ended for each in sent)
    moments = [seconds * step / STEPS for step in range(STEPS + 1)]
    finished = [sum(each.terminal and each.ended <= now for each in sent) for now in moments]
    under_way = [sum(each.began <= now < each.ended for each in sent) for now in moments]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}V{TOP}" fill="none" stroke="#999"/>',
        f'<text x="{LEFT}" y="{TOP - 14}" fill="#27a">finished</text>',
        f'<text x="{WIDTH - RIGHT}" y="{TOP - 14}" text-anchor="end" fill="#c60">under way</text>',
        *_ticks(seconds, max(finished), max(under_way)),
        _line(finished, "#27a"),
        _line(under_way, "#c60"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _ticks(seconds: float, finished: int, under_way: int) -> list[str]:
    """Nothing, half and all of each scale."""
    parts = []
    for half in (0, 1, 2):
        x = LEFT + (WIDTH - LEFT - RIGHT) * half / 2
        y = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * half / 2
        parts += [
            f'<text x="{x:.0f}" y="{HEIGHT - 20}" text-anchor="middle">{seconds * half / 2:.0f} s</text>',
            f'<text x="{LEFT - 8}" y="{y + 4:.0f}" text-anchor="end">{finished * half // 2:,}</text>',
            f'<text x="{WIDTH - RIGHT + 8}" y="{y + 4:.0f}">{under_way * half // 2:,}</text>',
        ]
    return parts


def _line(values: Sequence[int], colour: str) -> str:
    top = max(*values, 1)
    wide, high = (WIDTH - LEFT - RIGHT) / STEPS, (HEIGHT - TOP - BOTTOM) / top
    points = (f"{LEFT + n * wide:.1f},{HEIGHT - BOTTOM - value * high:.1f}" for n, value in enumerate(values))
    return f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="2"/>'
