"""The tables of docs/scale.md, in Markdown, from the outcomes of the scenarios."""

from collections.abc import Iterable, Mapping, Sequence

from bench.scale.quotas import DEFAULTS, QUOTA_SETS, Quota
from bench.scale.scenarios import Outcome

MILLION = 1_000_000
OPENAI_QUOTAS = ("openai_requests", "openai_tokens")


def tables(outcomes: Sequence[Outcome], compared: Sequence[Outcome]) -> Mapping[str, str]:
    """Each table of the document, by its name."""
    return {
        "scenarios": _scenarios(outcomes),
        "quotas": _quotas(outcomes),
        "groups": _groups(compared),
    }


def insert(document: str, made: Mapping[str, str]) -> str:
    """The document with its tables replaced. Each stands between two comments that have its name."""
    for name, table in made.items():
        start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, _, rest = document.partition(start)
        _, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"the document has no place for the table {name}")
        document = before + start + table + end + after
    return document


def _scenarios(outcomes: Sequence[Outcome]) -> str:
    headings = (
        *("runs", "arrive", "updates", "quotas", "completed", "p50, s", "p95, s", "last ends, h"),
        *("first throttled", "throttled most", "AWS, $", "tokens, millions"),
    )
    return _table(
        headings,
        (
            (
                f"{each.runs:,}",
                each.arrivals,
                each.updates,
                each.quotas,
                f"{100 * each.completed / each.runs:.4g} %",
                f"{each.p50:,.0f}",
                f"{each.p95:,.0f}",
                f"{each.seconds / 3600:.1f}",
                each.first or "-",
                max(each.throttled, key=lambda name: each.throttled[name], default="-"),
                f"{each.dollars:,.2f}",
                f"{each.tokens / MILLION:,.0f}",
            )
            for each in outcomes
        ),
    )


def _quotas(outcomes: Sequence[Outcome]) -> str:
    """The peak of a million runs by day curve, unthrottled, and what that is of each quota."""
    peaks = {
        each.updates: each.peaks
        for each in outcomes
        if (each.runs, each.arrivals, each.quotas) == (MILLION, "day curve", "raised, tier 5")
    }
    raised = QUOTA_SETS["raised, tier 5"]
    rows = []
    for name, quota in DEFAULTS.items():
        used = [_use(quota, peaks[updates].get(name)) for updates in ("polled", "pushed")]
        change = raised[name]
        ask = "-" if change == quota else _limit(name, change)
        rows.append(
            (f"`{name}`", quota.title, _limit(name, quota), *used, ask, _source(quota), quota.checked)
        )
    headings = (
        *("name", "quota", "default", "polled: peak, share, full at", "pushed: peak, share, full at"),
        *("raise to", "source", "of"),
    )
    return _table(headings, rows)


def _groups(compared: Sequence[Outcome]) -> str:
    return _table(
        ("runs", "arrive", "runs in a group", "completed", "p50, s", "p95, s", "last ends, s", "AWS, $"),
        (
            (
                f"{each.runs:,}",
                each.arrivals,
                str(each.group),
                f"{each.completed:,}",
                f"{each.p50:.1f}",
                f"{each.p95:.1f}",
                f"{each.seconds:,.0f}",
                f"{each.dollars:.2f}",
            )
            for each in compared
        ),
    )


def _use(quota: Quota, peak: float | None) -> str:
    if not peak:
        return "-"
    share = peak / quota.limit
    full = MILLION / share
    days = f"{full / MILLION:.3g} million" if full >= MILLION else f"{full:,.0f}"
    return (
        f"{peak:,.3g}, {100 * share:.2g} %, {days} a day"
        if peak < 1000
        else (f"{peak:,.0f}, {100 * share:,.0f} %, {days} a day")
    )


def _limit(name: str, quota: Quota) -> str:
    if name in OPENAI_QUOTAS:
        return f"{quota.limit * 60:,.0f} a minute"
    if quota.bucket is None:
        return f"{quota.limit:,.0f}"
    return f"{quota.limit:,.0f}/s, {quota.bucket:,.0f} at once"


def _source(quota: Quota) -> str:
    return f"[page]({quota.source})" if quota.source.startswith("http") else f"`{quota.source}`"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
