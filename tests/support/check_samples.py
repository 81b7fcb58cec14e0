"""Invokes functions with their sample events on a fresh local stack, and prints whether each answer is as expected.

`python -m tests.support.check_samples FOLDER [prepared]`: without `prepared`, all samples in the order of a run;
with it, those that `upcall local --sam` prepares the stack for. A separate program, because the ids in the samples
need a fresh stack, and a process can have only one.
"""

import json
import sys
from pathlib import Path
from typing import Any

from local.config import LocalStackConfig
from local.sam.expected_results import EXPECTED
from local.sam.run_samples import BEFORE, event_for
from local.sam.samples import prepare_all_samples
from local.stack import LocalStack

ONLY_IN_CONTAINERS = {"FetchFunction"}
"""Its page has a host name that only containers know."""


def check_in_order(stack: LocalStack) -> dict[str, Any]:
    """True, or the wrong answer, for each function, in the order of `make sam-local`."""
    results = {}
    for function, is_expected in EXPECTED.items():
        if function not in ONLY_IN_CONTAINERS:
            if prepare := BEFORE.get(function):
                prepare(stack)
            answer = _invoke(stack, function)
            results[function] = is_expected(answer) or answer
    return results


def check_prepared(stack: LocalStack) -> dict[str, Any]:
    """True, or the wrong answer, for each function that needs the run or the object of `upcall local --sam`."""
    prepare_all_samples(stack)
    results = {}
    for function in (
        "PollRunFunction",
        "ListCallsFunction",
        "ListEventsFunction",
        "SubmitToolOutputsFunction",
        "SaveMessageFunction",
        "ReadObjectFunction",
    ):
        answer = _invoke(stack, function)
        results[function] = EXPECTED[function](answer) or answer
    return results


def _invoke(stack: LocalStack, function: str) -> Any:
    name = stack.deployed.functions[function].name
    return json.loads(stack.runner.invoke(name, json.dumps(event_for(function))).payload)


if __name__ == "__main__":
    config = LocalStackConfig(state_folder=Path(sys.argv[1]), first_turn=1, model_seconds=0)
    with LocalStack(config) as local_stack:
        check = check_prepared if "prepared" in sys.argv else check_in_order
        sys.stdout.write(f"{json.dumps(check(local_stack))}\n")
