"""Measures the cold import of each handler, as a whole process, and its ratio to the baseline.

The baseline is the OpenAI client, which every polling handler needs. Handlers and baseline take turns, so
that a slow moment of the machine affects all of them. Times are medians, and ratios are to the baseline of
the same run. The last two columns add what the first request needs besides: boto3, and the clients.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
REPETITIONS = 7
MAX_RATIO = 1.2
BASELINE = "from openai import OpenAI; OpenAI(api_key='x')"
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
    """Measure all handlers and tools and print a table. If a file is given, draw the ratios into it."""
    modules = [
        f"{folder}.{path.stem}"
        for folder in ("handlers", "tools")
        for path in sorted((ROOT / "src" / folder).glob("[!_]*.py"))
    ]
    programs = {"baseline": BASELINE}
    programs |= {module: f"import {module}" for module in modules}
    programs |= {f"{module} with clients": f"import {module}\n{CLIENTS}" for module in modules}
    for program in programs.values():
        measure_seconds(program)  # compiles modules that have no bytecode yet
    times = [
        {name: measure_seconds(program) for name, program in programs.items()} for _ in range(REPETITIONS)
    ]
    medians = {name: statistics.median(each[name] for each in times) for name in programs}
    print_table(modules, medians)
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(draw_svg(modules, medians), "utf-8")


def measure_seconds(program: str) -> float:
    """The wall time of a new interpreter that runs a program."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT / "src")  # noqa: S603
    return time.perf_counter() - start


def print_table(modules: list[str], medians: dict[str, float]) -> None:
    """Print medians in milliseconds and ratios to the baseline, with a bar for each."""
    baseline = medians["baseline"]
    table = Table("process", "ms", "ratio", "", "with clients", "ratio", box=None)
    table.add_row("openai, OpenAI()", f"{baseline * 1000:.0f}", "1.00", "█" * 20, "", "")
    for module in modules:
        alone, with_clients = medians[module], medians[f"{module} with clients"]
        ratio = alone / baseline
        bar = f"[{'green' if ratio <= MAX_RATIO else 'red'}]{'█' * round(20 * ratio)}"
        table.add_row(
            module,
            f"{alone * 1000:.0f}",
            f"{ratio:.2f}",
            bar,
            f"{with_clients * 1000:.0f}",
            f"{with_clients / baseline:.2f}",
        )
    Console(width=100).print(table)


def draw_svg(modules: list[str], medians: dict[str, float]) -> str:
    """The ratios as bars, with a line at the maximum."""
    unit, left, row = 300, 220, 24
    height = row * (len(modules) + 1) + 20
    maximum = left + unit * MAX_RATIO
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="720" height="{height}" '
        'font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for number, name in enumerate(["baseline", *modules]):
        ratio, y = medians[name] / medians["baseline"], row * number + 10
        colour = "#999" if name == "baseline" else "#2a7" if ratio <= MAX_RATIO else "#c33"
        label = "openai, OpenAI()" if name == "baseline" else name
        parts += [
            f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{label}</text>',
            f'<rect x="{left}" y="{y}" width="{unit * ratio:.0f}" height="18" fill="{colour}"/>',
            f'<text x="{left + unit * ratio + 6:.0f}" y="{y + 14}">{ratio:.2f}</text>',
        ]
    parts.append(f'<path d="M{maximum:.0f} 4V{height - 4}" stroke="#c33" stroke-dasharray="4"/></svg>')
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
