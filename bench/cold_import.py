"""How long each handler takes to load, as a whole process, beside the client that it cannot do without.

The floor is `from openai import OpenAI; OpenAI(api_key="x")`. Handlers and floor take turns, so that a
machine that slows down slows both; figures are medians, ratios are to the floor of the same run. The
second column adds what the first request does besides: loading boto3 and building the clients.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
ROUNDS = 7
LIMIT = 1.2
FLOOR = "from openai import OpenAI; OpenAI(api_key='x')"
CLIENTS = """
import sys
if "upcall.run_apis.client" in sys.modules:
    from openai import OpenAI; OpenAI(api_key="x")
    import boto3; boto3.client("secretsmanager", region_name="us-east-1")
if "upcall.aws.run_repository" in sys.modules:
    import boto3; boto3.client("dynamodb", region_name="us-east-1")
if "upcall.aws.step_functions" in sys.modules:
    import boto3; boto3.client("stepfunctions", region_name="us-east-1")
"""


def main() -> None:
    """Measure all handlers and tools, print the table; draw it into a file, if one is named."""
    names = [
        f"{folder}.{path.stem}"
        for folder in ("handlers", "tools")
        for path in sorted((ROOT / "src" / folder).glob("[!_]*.py"))
    ]
    codes = {"floor": FLOOR}
    codes |= {name: f"import {name}" for name in names}
    codes |= {f"{name} with clients": f"import {name}\n{CLIENTS}" for name in names}
    for code in codes.values():
        seconds(code)  # compiles what is not compiled yet
    rounds = [{name: seconds(code) for name, code in codes.items()} for _ in range(ROUNDS)]
    medians = {name: statistics.median(each[name] for each in rounds) for name in codes}
    show(names, medians)
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(drawing(names, medians), "utf-8")


def seconds(code: str) -> float:
    """A fresh interpreter runs the code; wall time of the whole process."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT / "src")  # noqa: S603
    return time.perf_counter() - start


def show(names: list[str], medians: dict[str, float]) -> None:
    """Print medians in milliseconds and ratios to the floor, with a bar for each."""
    floor = medians["floor"]
    table = Table("process", "ms", "ratio", "", "with clients", "ratio", box=None)
    table.add_row("openai, OpenAI()", f"{floor * 1000:.0f}", "1.00", "█" * 20, "", "")
    for name in names:
        own, with_clients = medians[name], medians[f"{name} with clients"]
        ratio = own / floor
        bar = f"[{'green' if ratio <= LIMIT else 'red'}]{'█' * round(20 * ratio)}"
        table.add_row(
            name,
            f"{own * 1000:.0f}",
            f"{ratio:.2f}",
            bar,
            f"{with_clients * 1000:.0f}",
            f"{with_clients / floor:.2f}",
        )
    Console(width=100).print(table)


def drawing(names: list[str], medians: dict[str, float]) -> str:
    """The ratios as bars, with a line at the limit, in SVG."""
    unit, left, row = 300, 220, 24
    height = row * (len(names) + 1) + 20
    limit = left + unit * LIMIT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="720" height="{height}" '
        'font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for number, name in enumerate(["floor", *names]):
        ratio, y = medians[name] / medians["floor"], row * number + 10
        colour = "#999" if name == "floor" else "#2a7" if ratio <= LIMIT else "#c33"
        label = "openai, OpenAI()" if name == "floor" else name
        parts += [
            f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{label}</text>',
            f'<rect x="{left}" y="{y}" width="{unit * ratio:.0f}" height="18" fill="{colour}"/>',
            f'<text x="{left + unit * ratio + 6:.0f}" y="{y + 14}">{ratio:.2f}</text>',
        ]
    parts.append(f'<path d="M{limit:.0f} 4V{height - 4}" stroke="#c33" stroke-dasharray="4"/></svg>')
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
