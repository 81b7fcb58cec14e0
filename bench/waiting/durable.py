"""Executes the reference run as an AWS durable function, with an interpreter that has its SDK."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.waiting.reference_runs import ReferenceRun, create_counted_table, table_units
from bench.waiting.stack_process import StackProcess
from bench.waiting.usage import RunCost, Usage
from local.config import AWS_ENVIRONMENT

SCRIPT = Path(__file__).parent / "durable_run.py"
MEMORY_MB = 256

WAYS = {"durable function, webhook": "callback", "durable function, polled every second": "condition"}
"""Names in the table, and how durable_run.py calls them."""


OPERATION_EVENTS = (
    "ExecutionStarted",
    "StepSucceeded",
    "StepFailed",
    "WaitStarted",
    "CallbackStarted",
    "ContextSucceeded",
    "ContextFailed",
)
"""Events of the history that are charged as one operation each. Each attempt of a step ends with such an
event, and so does each poll of a condition."""


class DurableRun:
    """A run in a process of its own, from now on."""

    def __init__(self, python: str, run: ReferenceRun, stack: StackProcess) -> None:
        self._run, self._stack = run, stack
        way = WAYS[run.name]
        self._table = f"durable-{way}"
        warm_up_table = f"{self._table}-warm-up"
        stack.call(create_counted_table, warm_up_table)
        endpoints = stack.call(create_counted_table, self._table)
        order = {
            "waiting": way,
            "runs": [
                {"model": run.warm_up_model, "table": warm_up_table},
                {"model": run.model, "table": self._table},
            ],
            "page": f"{stack.pages}/tides",
            "openai": endpoints.openai,
            "environment": {**AWS_ENVIRONMENT, "AWS_ENDPOINT_URL": endpoints.aws},
        }
        self._process = subprocess.Popen(  # noqa: S603
            [python, str(SCRIPT), json.dumps(order)], stdout=subprocess.PIPE, text=True
        )

    def wait(self) -> RunCost:
        """What the run used, when it has ended."""
        output, _ = self._process.communicate()
        if self._process.returncode:
            raise SystemExit(f"{self._run.name} failed")
        write_units, read_units = self._stack.call(table_units, self._table)
        result = json.loads(output)
        return RunCost(self._run.name, durable_usage(result, write_units, read_units), result["seconds"])


def durable_usage(result: Mapping[str, Any], write_units: int, read_units: float) -> Usage:
    """What a run used, from what durable_run.py prints."""
    seconds = sum(result["invocations"])
    return Usage(
        durable_operations=sum(kind in OPERATION_EVENTS for kind, _ in result["events"]),
        durable_bytes=sum(size for _, size in result["events"]),
        invocations=len(result["invocations"]),
        function_seconds=seconds,
        gb_seconds=seconds * MEMORY_MB / 1024,
        write_units=write_units,
        read_units=read_units,
        http_requests=result["http_requests"],
    )
