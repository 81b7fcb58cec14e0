"""`upcall bench load`, and what its audit would find."""

import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.load_test.audit import Found, missing, too_much
from cli.load_test.config import Sent
from cli.load_test.plot import drawing
from cli.load_test.results import percentiles
from local.config import ROOT
from upcall.domain.run import Run

from .conftest import Upcall, problem

PATIENCE_SECONDS = 300
"""It takes half a minute where nobody else is at work."""

RUN = Run.new(
    prompt="Go.", assistant="summarizer", model="m", run_api="responses", created_at=datetime.now(UTC)
).model_copy(
    update={"status": "completed", "ended_at": datetime.now(UTC), "message_parts": 1, "tool_calls": 2}
)
GOOD = Found(RUN, "Done.", 1, Counter(c1=1, c2=1), ("SUCCEEDED",), 1)


def test_a_run_that_is_whole_is_neither_lost_nor_doubled() -> None:
    assert [*missing(GOOD), *too_much(GOOD)] == []


@pytest.mark.parametrize(
    ("found", "what"),
    [
        (replace(GOOD, run=None), "has no record"),
        (replace(GOOD, run=RUN.model_copy(update={"status": "in_progress"})), "is in_progress"),
        (replace(GOOD, message=None), "has no message"),
        (replace(GOOD, calls=Counter(c1=1)), "has calls that are not in the ledger"),
        (replace(GOOD, executions=()), "has no execution that has ended"),
        (replace(GOOD, executions=("RUNNING",)), "has no execution that has ended"),
        (replace(GOOD, announced=0), "was not announced"),
    ],
)
def test_what_is_missing_is_lost(found: Found, what: str) -> None:
    assert list(missing(found)) == [what]


@pytest.mark.parametrize(
    ("found", "what"),
    [
        (replace(GOOD, parts=2), "has a message beside its own"),
        (replace(GOOD, calls=Counter(c1=2)), "has c1 2 times in the ledger"),
        (
            replace(GOOD, calls=Counter(c1=1, c2=1, c3=1)),
            "has calls in the ledger that are none of its rounds",
        ),
        (replace(GOOD, executions=("SUCCEEDED", "SUCCEEDED")), "has 2 executions"),
        (replace(GOOD, announced=2), "was announced 2 times"),
    ],
)
def test_what_is_there_once_too_often_is_doubled(found: Found, what: str) -> None:
    assert list(too_much(found)) == [what]


def test_percentiles_are_those_of_what_there_is() -> None:
    assert percentiles([]) == {}
    assert percentiles([3]) == {"p50": 3, "p95": 3, "p99": 3}
    assert percentiles(range(101)) == {"p50": 50, "p95": 95, "p99": 99}


def test_the_drawing_ends_with_all_that_ended_and_none_under_way() -> None:
    sent = [Sent(began=n, ended=n + 2, run_id=f"run_{n}", run=None) for n in range(4)]
    svg = drawing(sent)
    finished, under_way = (points.split() for points in re.findall('points="([^"]+)"', svg))

    assert finished[-1].endswith(",260.0")  # none of them was seen to end
    assert under_way[-1].endswith(",260.0")
    assert min(float(point.split(",")[1]) for point in under_way) == 40


def test_a_small_load_in_bad_weather_loses_and_doubles_nothing(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """Forty runs, a fifth of the emulator's answers wrong, in a cloud of their own."""
    plot = tmp_path / "load.svg"
    options = "--runs 40 --concurrency 20 --faults 0.2 --seed 7 --json --plot"
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "bench", "load", *options.split(), str(plot)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)

    assert (told["statuses"], told["lost"], told["doubled"]) == ({"completed": 40}, [], [])
    assert 0.1 < sum(told["faults"].values()) / told["requests"] < 0.3
    assert told["turns"] >= 80
    assert set(told["latency"]) == {"p50", "p95", "p99"}
    assert plot.read_text("utf-8").startswith("<svg")


def test_a_run_api_that_there_is_not_is_one_line(upcall: Upcall) -> None:
    assert "should be 'responses', 'assistants' or 'agents'" in problem(upcall("bench", "load", "--api", "x"))
