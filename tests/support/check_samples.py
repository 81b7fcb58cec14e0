"""Prints what became of each sample on a cloud that holds them: `python -m tests.support.true_samples FOLDER [held]`.

A program of its own, because the ids of the samples take a fresh cloud, and a process has one.
"""

import json
import sys
from pathlib import Path
from typing import Any

from local.config import Profile
from local.sam.expected_answers import ANSWERS
from local.sam.run_samples import BEFORE, event_for
from local.sam.samples import hold_all
from local.stack import LocalStack

NOT_HERE = {"FetchFunction"}
"""Its page is at a name that containers know, and no others."""


def answer(cloud: LocalStack, function: str) -> Any:
    name = cloud.stack.functions[function].name
    return json.loads(cloud.runner.invoke(name, json.dumps(event_for(function))).payload)


def in_order(cloud: LocalStack) -> dict[str, Any]:
    """Each sample after the other, as `make sam-local` goes through them: True, or the wrong answer."""
    found = {}
    for function, judge in ANSWERS.items():
        if function not in NOT_HERE:
            if prepare := BEFORE.get(function):
                prepare(cloud)
            given = answer(cloud, function)
            found[function] = judge(given) or given
    return found


def held(cloud: LocalStack) -> dict[str, Any]:
    """The samples that need the run in a state of its own, on a cloud of `upcall local --sam`."""
    hold_all(cloud)
    return {
        function: ANSWERS[function](given := answer(cloud, function)) or given
        for function in (
            "PollRunFunction",
            "ListCallsFunction",
            "SubmitToolOutputsFunction",
            "SaveMessageFunction",
            "ReadObjectFunction",
        )
    }


if __name__ == "__main__":
    with LocalStack(Profile(state_folder=Path(sys.argv[1]), first_turn=1, thinking_seconds=0)) as fresh:
        sys.stdout.write(json.dumps((held if "held" in sys.argv else in_order)(fresh)))
