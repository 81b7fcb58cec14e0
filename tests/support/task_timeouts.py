"""Shorter time-outs of the workflow's tasks, so that a test does not wait for minutes after a lost webhook.

`python -m support.task_timeouts SECONDS ...` runs the command `upcall ...` with tasks that have at
most so many seconds.
"""

import sys
from collections.abc import Callable
from typing import Any

import pytest


def shorten_task_timeouts(patch: pytest.MonkeyPatch, shorten: Callable[[float], float]) -> None:
    """Change the seconds that each task of a local stack has. moto makes clients as its module is loaded."""
    from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import Timeout

    evaluate = Timeout._eval_body

    def evaluate_shorter(self: Timeout, env: Any) -> None:
        evaluate(self, env)
        env.stack[-1] = shorten(env.stack[-1])

    patch.setattr(Timeout, "_eval_body", evaluate_shorter)


if __name__ == "__main__":
    from cli.backends.local_stack import load_local_stack_class
    from cli.main import main

    load_local_stack_class()  # without the user's AWS variables, which moto would read
    most = float(sys.argv.pop(1))
    with pytest.MonkeyPatch.context() as process_patch:
        shorten_task_timeouts(process_patch, lambda seconds: min(seconds, most))
        main()
