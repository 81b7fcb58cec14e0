"""The plots of docs/scale.md, as SVG: completed runs over time, and quotas in use."""

from collections.abc import Iterator, Mapping, Sequence
from math import log10

from bench.scale.quotas import DEFAULTS
from bench.scale.scenarios import LINE_POINTS, Outcome

COLOURS = ("#27a", "#e80", "#595", "#a4a", "#c33", "#999")
WIDTH, HEIGHT = 820, 330
LEFT, RIGHT, TOP, BOTTOM = 60, 270, 40, 40
ROW, LABEL, BAR = 22, 330, 400
DECADES = 5
"""Of the logarithmic scale of the shares, which ends at ten times the quota."""


def draw_lines(title: str, outcomes: Sequence[Outcome]) -> str:
    """The share of runs that are completed, over the hours since the first arrived."""
    hours = max(each.seconds for each in outcomes) / 3600
    x_unit, y_unit = (WIDTH - LEFT - RIGHT) / hours, HEIGHT - TOP - BOTTOM
    parts = [f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" fill="none" stroke="#999"/>']
    for half in (0, 1, 2):
        x, y = LEFT + hours * half / 2 * x_unit, HEIGHT - BOTTOM - y_unit * half / 2
        parts += [
            f'<text x="{x:.0f}" y="{HEIGHT - 18}" text-anchor="middle">{hours * half / 2:.1f} h</text>',
            f'<text x="{LEFT - 8}" y="{y + 4:.0f}" text-anchor="end">{50 * half} %</text>',
        ]
    for number, each in enumerate(outcomes):
        colour, dash = COLOURS[number % len(COLOURS)], ' stroke-dasharray="6 3"' if number % 2 else ""
        points = " ".join(
            f"{LEFT + each.seconds / 3600 * n / LINE_POINTS * x_unit:.1f},"
            f"{HEIGHT - BOTTOM - count / each.runs * y_unit:.1f}"
            for n, count in enumerate(each.line)
        )
        parts += [
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>',
            f'<text x="{WIDTH - RIGHT + 14}" y="{TOP + 10 + 20 * number}" fill="{colour}">'
            f"{each.updates}, {each.quotas}</text>",
        ]
    return _svg(WIDTH, HEIGHT, title, parts)


def draw_shares(title: str, peaks: Mapping[str, Mapping[str, float]]) -> str:
    """Bars for each quota: its share in use, on a logarithmic scale, with a line where it is full."""
    names = [name for name in DEFAULTS if any(each.get(name) for each in peaks.values())]
    full = LABEL + BAR * (DECADES - 1) / DECADES
    bottom = 40 + ROW * len(peaks) * len(names) + 8 * len(names)
    parts = list(_share_rows(names, peaks))
    parts += [
        f'<path d="M{full:.0f} 34V{bottom}" stroke="#c33" stroke-dasharray="4 3"/>',
        f'<text x="{full:.0f}" y="{bottom + 16}" text-anchor="middle" fill="#c33">100 %</text>',
    ]
    return _svg(LABEL + BAR + 90, bottom + 26, title, parts)


def _share_rows(names: Sequence[str], peaks: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    y = 40
    for name in names:
        title = DEFAULTS[name].title.replace("`", "")
        yield f'<text x="{LABEL - 8}" y="{y + 13}" text-anchor="end">{title}</text>'
        for number, values in enumerate(peaks.values()):
            share = values.get(name, 0) / DEFAULTS[name].limit
            width = BAR * _position(share)
            yield f'<rect x="{LABEL}" y="{y}" width="{width:.1f}" height="17" fill="{COLOURS[number]}"/>'
            yield f'<text x="{LABEL + width + 6:.0f}" y="{y + 13}">{100 * share:,.2g} %</text>'
            y += ROW
        y += 8


def _position(share: float) -> float:
    """Where a share stands on the scale, from 0 to 1."""
    return 0.0 if share <= 0 else min(1.0, max(0.0, (log10(share) + DECADES - 1) / DECADES))


def _svg(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="13">'
    )
    background = '<rect width="100%" height="100%" fill="white"/>'
    return "\n".join([head, background, f'<text x="10" y="18">{title}</text>', *parts, "</svg>\n"])
